// Where a value comes from.
export default {
  builtin: "built in",
  builtinHelp: "Nobody has set this: it is what Sluice does by itself. Saving keeps your choice.",
  file: "file",
  fileHelp: "The configuration file says so. Change it there; Sluice reads it again by itself.",
  stored: "saved here",
  storedHelp: "It was set by this page, the API or the command line.",
  catalogue: "price list",
  catalogueHelp: "It is from the price list.",
};
