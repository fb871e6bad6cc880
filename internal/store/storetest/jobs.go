package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
)

// Jobs proves what job.Store promises. open opens the store of a directory, which a second open finds as
// the first has left it.
func Jobs(t *testing.T, open func(t *testing.T, dir string) job.Store) {
	t.Run("a job comes back as it was created and updated", func(t *testing.T) { jobReturns(t, open) })
	t.Run("an empty store has none", func(t *testing.T) {
		s := open(t, t.TempDir())
		if got := listJobs(t, s, job.Query{Account: "acme", Process: true, Limit: 10}); len(got) != 0 {
			t.Errorf("%v", got)
		}
		if _, err := s.GetJob(t.Context(), newJob(1).ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("GetJob: %v", err)
		}
	})
	t.Run("what is not there, and what is there already", func(t *testing.T) {
		s := open(t, t.TempDir())
		createJob(t, s, newJob(1))
		if err := s.CreateJob(t.Context(), newJob(1)); sluice.KindOf(err) != sluice.KindConflict {
			t.Errorf("created twice: %v", err)
		}
		if err := s.UpdateJob(t.Context(), newJob(2)); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("updated nothing: %v", err)
		}
		if err := s.DeleteJob(t.Context(), newJob(2).ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("deleted nothing: %v", err)
		}
		if err := s.DeleteJob(t.Context(), newJob(1).ID); err != nil {
			t.Error(err)
		}
		if _, err := s.GetJob(t.Context(), newJob(1).ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("a deleted job: %v", err)
		}
	})
	t.Run("lists", func(t *testing.T) { jobLists(t, open(t, t.TempDir())) })
	t.Run("jobs that have not ended, and those that ended long ago", func(t *testing.T) {
		s := open(t, t.TempDir())
		for i := 1; i <= 4; i++ {
			j := newJob(i)
			if i > 2 {
				j.State, j.Ended = job.Done, noon().Add(time.Duration(i)*time.Hour)
			}
			createJob(t, s, j)
		}
		left, err := s.UnendedJobs(t.Context())
		if err != nil || !reflect.DeepEqual(idsOf(left), []string{newJob(1).ID, newJob(2).ID}) {
			t.Errorf("unended: %v, %v", idsOf(left), err)
		}
		if err := s.DeleteEndedJobs(t.Context(), noon().Add(4*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := idsOf(listJobs(t, s, job.Query{Account: "acme", Limit: 10})); !reflect.DeepEqual(got, []string{newJob(4).ID, newJob(2).ID, newJob(1).ID}) {
			t.Errorf("after deleting those that ended before the fourth: %v", got)
		}
	})
}

func jobReturns(t *testing.T, open func(t *testing.T, dir string) job.Store) {
	dir := t.TempDir()
	s := open(t, dir)
	want := newJob(1)
	createJob(t, s, want)
	createJob(t, s, newJob(2))
	changed := want
	changed.State, changed.Done, changed.Total, changed.Message = job.Failed, 1<<40, 1<<41, "counting \x00 <&> ü"
	changed.Result, changed.Checkpoint = json.RawMessage(`{"rows":3}`), json.RawMessage(`{"after":"x"}`)
	changed.File = &job.File{Name: "logs.csv", Type: "text/csv", Bytes: 12, SHA256: "ab", Expires: noon().Add(24 * time.Hour)}
	changed.Error = "the disk is full"
	changed.Started, changed.Ended = noon().Add(time.Second), noon().Add(time.Minute)
	got, err := s.GetJob(t.Context(), want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("created: %v\ngot  %+v\nwant %+v", err, got, want)
	}
	other := changed
	other.Account, other.Gateway, other.Kind, other.Actor = "elsewhere", "x", "x", "x"
	other.Input, other.Created = json.RawMessage(`{}`), noon()
	if err := s.UpdateJob(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, s := range []job.Store{s, open(t, dir)} {
		got, err := s.GetJob(t.Context(), want.ID)
		if err != nil || !reflect.DeepEqual(got, changed) {
			t.Errorf("updated: %v\ngot  %+v\nwant %+v", err, got, changed)
		}
		if got, err := s.GetJob(t.Context(), newJob(2).ID); err != nil || !reflect.DeepEqual(got, newJob(2)) {
			t.Errorf("another job has changed: %+v, %v", got, err)
		}
	}
}

func jobLists(t *testing.T, s job.Store) {
	var ids []string
	for i := range 6 {
		j := newJob(i)
		switch i {
		case 1:
			j.Account = "other"
		case 2:
			j.Account = ""
		case 3:
			j.Kind = "backup"
		case 4:
			j.State, j.Ended = job.Done, noon()
		}
		ids = append(ids, j.ID)
		createJob(t, s, j)
	}
	for name, c := range map[string]struct {
		q    job.Query
		want []int
	}{
		"newest first":                {job.Query{Account: "acme", Limit: 10}, []int{5, 4, 3, 0}},
		"with those of the process":   {job.Query{Account: "acme", Process: true, Limit: 10}, []int{5, 4, 3, 2, 0}},
		"those of the process alone":  {job.Query{Limit: 10}, []int{2}},
		"no more than asked for":      {job.Query{Account: "acme", Limit: 2}, []int{5, 4}},
		"those made before another":   {job.Query{Account: "acme", Before: ids[4], Limit: 2}, []int{3, 0}},
		"of one kind":                 {job.Query{Account: "acme", Kind: "backup", Limit: 10}, []int{3}},
		"of one state":                {job.Query{Account: "acme", State: job.Done, Limit: 10}, []int{4}},
		"of an account without any":   {job.Query{Account: "nobody", Limit: 10}, nil},
		"all conditions, and nothing": {job.Query{Account: "acme", Kind: "backup", State: job.Done, Before: ids[5], Limit: 10}, nil},
	} {
		var want []string
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		if got := idsOf(listJobs(t, s, c.q)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// newJob makes the i-th of jobs that differ, in the order of their making.
func newJob(i int) job.Stored {
	at := noon().Add(time.Duration(i) * time.Millisecond)
	return job.Stored{Job: job.Job{
		ID: sluice.MinID(at).String(), Account: "acme", Gateway: "prod", Kind: "export-logs", Actor: fmt.Sprint("actor ", i),
		State: job.Queued, Input: json.RawMessage(`{"q":"status:error"}`), Total: job.Unknown, Created: at,
	}}
}

func createJob(t *testing.T, s job.Store, j job.Stored) {
	t.Helper()
	if err := s.CreateJob(t.Context(), j); err != nil {
		t.Fatalf("CreateJob(%+v): %v", j, err)
	}
}

func listJobs(t *testing.T, s job.Store, q job.Query) []job.Stored {
	t.Helper()
	list, err := s.ListJobs(t.Context(), q)
	if err != nil {
		t.Fatalf("ListJobs: %v", err)
	}
	return list
}

func idsOf(list []job.Stored) (ids []string) {
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}
