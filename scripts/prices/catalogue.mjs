// Usage: node catalogue.mjs DIRECTORY DATE
//
// Reads the price list of @pydantic/genai-prices as installed in DIRECTORY, merges it with
// internal/price/reviewed.json, and writes a catalogue in Sluice's form, dated DATE. Prices are turned
// into whole nano-dollars as text, never as floats.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const [dir, date] = process.argv.slice(2)
const pkg = path.join(dir, 'node_modules/@pydantic/genai-prices')
const read = (...p) => JSON.parse(fs.readFileSync(path.join(...p), 'utf8'))
const setup = read(here, 'providers.json')
const reviewed = read(here, '../../internal/price/reviewed.json')
const { version } = read(pkg, 'package.json')
const { findProvider } = await import(pathToFileURL(path.join(pkg, 'dist/index.js')))

// The package exports no list of its providers: their ids stand in its text, two steps in.
const ids = [...fs.readFileSync(path.join(pkg, 'dist/index.js'), 'utf8').matchAll(/^ {4}id: "([^"]+)"/gm)].map((m) => m[1])
const source = new Map(ids.map((id) => [id, findProvider({ providerId: id })]).filter(([id, p]) => p?.id === id))
const packageSource = `@pydantic/genai-prices ${version} (MIT)`
const sources = [packageSource]
const sourceOf = (text) => (sources.includes(text) ? sources.indexOf(text) : sources.push(text) - 1)

// The source's kinds of price: our class, and how many of the source's units ours takes.
const kinds = {
  input_mtok: ['input', 1n], output_mtok: ['output', 1n], cache_read_mtok: ['cache_read', 1n],
  cache_write_mtok: ['cache_write_5m', 1n], cache_write_1h_mtok: ['cache_write_1h', 1n],
  input_audio_mtok: ['audio_input', 1n], output_audio_mtok: ['audio_output', 1n], cache_audio_read_mtok: ['audio_cache_read', 1n],
  input_image_mtok: ['image_input', 1n], output_image_mtok: ['image_output', 1n], output_reasoning_mtok: ['reasoning', 1n],
  output_citation_mtok: ['citations', 1n], web_searches_kcount: ['web_searches', 1000n], requests_kcount: ['requests', 1000n],
  input_audio_hours: ['milliseconds', 1n], input_document_kpages: ['pages', 1000n],
}
// What the source has and no class of usage counts: see docs/prices.md, "What is not billed".
const ignored = new Set(['input_video_mtok', 'output_video_mtok', 'cache_image_read_mtok', 'audio_hours', 'storage_searches_kcount', 'input_annotated_document_kpages', 'input_text_messages_kcount'])
// People's units of reviewed.json: our class, and how many of them ours takes.
const people = {
  requests: ['requests', 1000n], web_searches: ['web_searches', 1000n], search_units: ['search_units', 1000n],
  images: ['images', 1000n], pages: ['pages', 1000n],
  seconds: ['milliseconds', 3600n], minutes: ['milliseconds', 60n], hours: ['milliseconds', 1n],
}

// plain writes a price as a decimal. A few of the source's were computed with floats and end in their
// noise (0.18000000000000002, 0.08333333333333334): no list prints 15 digits, nine places are enough.
function plain(usd) {
  const text = String(usd)
  return text.replace(/\D/g, '').length < 15 ? text : Number(usd).toFixed(9)
}

// nano turns a price in dollars into nano-dollars for times as many units, exactly.
function nano(usd, times) {
  const m = /^(\d+)(?:\.(\d+))?(?:e(-?\d+))?$/.exec(plain(usd))
  if (!m) throw new Error(`${usd} is no price`)
  const digits = BigInt(m[1] + (m[2] ?? '')) * times
  const places = 9 - (m[2] ?? '').length + Number(m[3] ?? 0)
  if (places >= 0) return digits * 10n ** BigInt(places)
  const by = 10n ** BigInt(-places)
  if (digits % by) throw new Error(`${usd} is no whole number of nano-dollars`)
  return digits / by
}

// fromSource splits the source's prices into rates and tiers. A model without any price is free there.
function fromSource(prices) {
  const rates = {}, tiers = new Map()
  for (const [kind, v] of Object.entries(prices)) {
    if (ignored.has(kind)) continue
    const [name, times] = kinds[kind] ?? (() => { throw new Error(`unknown kind of price ${kind}`) })()
    rates[name] = nano(typeof v === 'object' ? v.base : v, times)
    for (const t of v.tiers ?? []) {
      if (!tiers.has(t.start)) tiers.set(t.start, {})
      tiers.get(t.start)[name] = nano(t.price, times)
    }
  }
  if (!Object.keys(prices).length) Object.assign(rates, { input: 0n, output: 0n })
  return priced(rates, [...tiers].map(([above, r]) => ({ above, rates: r })))
}

// priced completes tiers with the base's prices for what they do not change.
function priced(rates, tiers) {
  if (!Object.keys(rates).length) return null
  const v = { rates }
  if (tiers?.length) v.tiers = tiers.sort((a, b) => a.above - b.above).map((t) => ({ above: t.above, rates: { ...rates, ...t.rates } }))
  return v
}

// datedOf turns the source's list of dated and timed prices into ours, where the last that holds counts.
// Hours belong to the prices of the date before them.
function datedOf(prices) {
  if (!Array.isArray(prices)) return [fromSource(prices)].filter(Boolean)
  const list = []
  let from
  for (const { constraint: c, prices: p } of prices) {
    const v = fromSource(p)
    if (c?.type === 'start_date') from = c.start_date
    if (!v) continue
    if (from) v.from = from
    if (c?.type === 'time_of_date') v.hours = [`${c.start_time.slice(0, 5)}-${c.end_time.slice(0, 5)}`]
    list.push(v)
  }
  return list
}

// namesOf splits the source's match logic into names and patterns. Regular expressions only add a date,
// which Find cuts off itself, or stand in providers.json.
function namesOf(match, out = { names: [], patterns: [] }) {
  if (match.or) match.or.forEach((m) => namesOf(m, out))
  if (match.equals) out.names.push(match.equals)
  if (match.starts_with) out.patterns.push(match.starts_with + '*')
  if (match.ends_with) out.patterns.push('*' + match.ends_with)
  if (match.contains) out.patterns.push('*' + match.contains + '*')
  if (match.and) out.special = true
  if (match.regex && !/\\d\{8\}\$$|\\d\{2\}\$$/.test(match.regex)) out.special = true
  return out
}

function rowsOf(id, from) {
  const rows = []
  for (const m of source.get(from).models) {
    const prices = datedOf(m.prices)
    if (!prices.length) continue
    const { names, patterns, special } = namesOf(m.match)
    if (special && !setup.match[m.id]) throw new Error(`${from}/${m.id}: a match that providers.json must say`)
    const sub = from.startsWith('huggingface_') ? ':' + from.slice('huggingface_'.length) : ''
    const row = {
      model: m.id + sub, aliases: names.map((n) => n + sub), match: setup.match[m.id] ?? patterns,
      source: sourceOf(packageSource), as_of: reviewed.package_date, prices,
    }
    const least = setup.least_ms[`${id}/${m.id}`]
    if (least) row.prices.forEach((p) => { p.least_ms = least })
    rows.push(row)
  }
  return rows
}

// fromReview turns a reviewed row's prices in dollars into ours.
function fromReview(r) {
  const rate = ([k, usd]) => {
    const [name, times] = people[k] ?? [k, 1n]
    return [name, nano(usd, times)]
  }
  const rates = (usd) => Object.fromEntries(Object.entries(usd).map(rate))
  return priced(rates(r.usd), r.tiers?.map((t) => ({ above: t.above, rates: rates(t.usd) })))
}

// review puts the reviewed rows into a provider's. from: what was listed holds until then.
function review(id, rows) {
  for (const a of reviewed.aliases.filter((a) => a.provider === id)) {
    rows.find((row) => row.model === a.model).aliases.push(...a.names)
  }
  for (const r of reviewed.rows.filter((r) => r.provider === id)) {
    const prices = fromReview(r)
    const had = rows.find((row) => row.model === r.model) ?? rows.find((row) => row.aliases.includes(r.model))
    let before = []
    if (had && r.from) {
      prices.from = r.from
      before = had.prices
    }
    const row = { model: r.model, aliases: r.aliases ?? [], match: [], source: sourceOf(r.source), as_of: r.as_of, note: had && r.reason, prices: [...before, prices] }
    if (had?.model === r.model) {
      row.aliases.push(...had.aliases)
      row.match = had.match
      rows.splice(rows.indexOf(had), 1)
    } else if (had) {
      had.aliases = had.aliases.filter((a) => a !== r.model)
    }
    rows.unshift(row) // reviewed names go before the source's
  }
}

// claim gives each name to the first row that has it. A row's own name goes before other rows' aliases.
function claim(rows) {
  const reviewedFirst = (r) => (r.source === 0 ? 1 : 0)
  const owner = new Map()
  for (const r of [...rows].sort((a, b) => reviewedFirst(a) - reviewedFirst(b))) {
    if (owner.has(r.model)) throw new Error(`two rows for ${r.model}`)
    owner.set(r.model, r)
  }
  for (const r of rows) {
    r.aliases = r.aliases.filter((a) => !owner.has(a) && owner.set(a, r))
    r.aliases.sort()
  }
}

// claude1h: Anthropic's one-hour writes cost twice the input wherever its models are sold.
function claude1h(rows) {
  for (const r of rows.filter((r) => r.model.includes('claude'))) {
    for (const v of r.prices.flatMap((p) => [p, ...(p.tiers ?? [])])) {
      if (v.rates.cache_write_5m && !v.rates.cache_write_1h) v.rates.cache_write_1h = 2n * v.rates.input
    }
  }
}

function providerOf(id, s) {
  const from = s.from.flatMap((f) => (f.endsWith('*') ? [...source.keys()].filter((k) => k.startsWith(f.slice(0, -1))) : [f]))
  const rows = from.flatMap((f) => rowsOf(id, f))
  review(id, rows)
  claim(rows)
  if (s.claude_1h) claude1h(rows)
  const factors = typeof s.factors === 'string' ? setup.providers[s.factors].factors : s.factors
  return {
    head: {
      id, like: s.like, strip: s.strip,
      factors: factors?.map(({ when, is, on, times, models }) => ({ when, is, on, times, models })),
    },
    rows: rows.sort((a, b) => (a.model < b.model ? -1 : 1)),
  }
}

const known = new Set([...Object.values(setup.providers).flatMap((p) => p.from), ...setup.keep, ...Object.keys(setup.leave_out)])
for (const id of source.keys()) {
  if (!known.has(id) && !id.startsWith('huggingface_')) throw new Error(`providers.json does not say what ${id} is`)
}
for (const id of setup.keep) setup.providers[id] = { from: [id] }

const big = (k, v) => (typeof v === 'bigint' ? Number(v) : Array.isArray(v) && !v.length ? undefined : v)
const line = (v) => {
  const text = JSON.stringify(v, big)
  if (/\d{16}/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, ''))) throw new Error('a price too large to be exact: ' + text)
  return text
}
const providers = Object.entries(setup.providers).sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, s]) => providerOf(id, s))
const out = providers.map(({ head, rows }) => `${line(head).slice(0, -1)},"models":[\n${rows.map((r) => line(r)).join(',\n')}\n]}`)
process.stdout.write(`{"schema":1,"version":${JSON.stringify(`${date}+genai-prices-${version}`)},"date":"${date}",\n"sources":${JSON.stringify(sources)},\n"providers":[\n${out.join(',\n')}\n]}\n`)
