package admin

import "net/http"

// OfProcess lets only those through to next who may call what is of the whole process, such as the admin token:
// it is for what lies beside the API on the same listener.
func OfProcess(d Deps, next http.Handler) http.Handler {
	s := &server{Deps: d}
	rt := Route{Role: RoleViewer, Process: true}
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := callerOf(r.Context()).may(s.Settings(), rt, "", ""); err != nil {
			writeFailure(w, failureOf(err))
			return
		}
		next.ServeHTTP(w, r)
	}))
}
