// Builds the pages into dist/: Vite, then each file's .br and .gz twins, which the server sends as they are.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "vite";

const dist = new URL("../dist/", import.meta.url).pathname;
for (const name of readdirSync(dist)) if (name !== "README") rmSync(join(dist, name), { recursive: true });
await build({ root: new URL("..", import.meta.url).pathname, logLevel: "warn" });

const squeezed = /\.(js|css|svg|json|html)$/;
function twins(dir) {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) twins(path);
    else if (squeezed.test(name) && name !== "index.html") {
      const whole = readFileSync(path);
      writeFileSync(path + ".gz", gzipSync(whole, { level: 9 }));
      writeFileSync(path + ".br", brotliCompressSync(whole, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
    }
  }
}
twins(dist);
