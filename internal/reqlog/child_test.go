package reqlog

// childVariable makes the test binary a child that logs until it is killed.
const childVariable = "SLUICE_REQLOG_TEST_CHILD"

func runChild(string) int { return 1 }
