// Copying a view for use elsewhere.
export default {
  as: "Copy as",
  url: "Address of this page",
  cli: "Command",
  curl: "curl",
};
