// Long work.
export default {
  title: "Jobs",
  runningCount: { one: "{n} job is running", other: "{n} jobs are running" },
  export: "Export of logs",
  delete: "Deletion of logs",
  reprice: "Costs made anew",
  backup: "Backup",
  queued: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  canceled: "Cancelled",
  cancel: "Cancel: {what}",
  resume: "Go on: {what}",
  left: "{time} left",
};
