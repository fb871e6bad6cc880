// Trees of JSON.
export default {
  broken: "it could not be parsed",
  notJson: "Not shown as a tree: {reason}",
  cut: "The first {n} values are shown.",
  head: "The first {head} of {size} are shown.",
  all: "Show all of it",
  value: "value",
};
