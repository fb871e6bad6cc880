// The grid of rows.
export default {
  select: "Select row {n}",
  selectAll: "Select all loaded rows",
};
