package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/internal/client"
)

// exportFlags are the flags of an export that a job makes.
type exportFlags struct {
	format, resume string
	gzip, bodies   bool
}

func (x *exportFlags) add(f *pflag.FlagSet) {
	f.StringVar(&x.format, "format", "", "`form` of the file: jsonl, csv or parquet; without it as -o says, or the file's name")
	f.BoolVar(&x.gzip, "gzip", false, "compress the file")
	f.BoolVar(&x.bodies, "bodies", false, "with the stored bodies")
	f.StringVar(&x.resume, "resume", "", "go on with the export of this job `id`")
}

// asked reports whether something is asked for that only a job does.
func (x *exportFlags) asked() bool {
	return x.format == "parquet" || x.gzip || x.bodies || x.resume != ""
}

// exportByJob lets the server write the file, and downloads it.
func (a *commands) exportByJob(ctx context.Context, x *exportFlags, q client.LogQuery, file string) error {
	if _, err := os.Lstat(file); file != "" && file != "-" && !errors.Is(err, fs.ErrNotExist) {
		return &failure{code: exitConflict, what: file + " exists", hint: "another name, or remove it"}
	}
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	j, err := a.startExport(ctx, api, x, q)
	if err != nil {
		return err
	}
	to := file
	if to == "" {
		to = "-"
	}
	resume := "sluice logs export --resume " + j.ID + " -O " + to
	if j, err = a.wait(ctx, api, j.ID); err != nil {
		if ctx.Err() != nil && j != nil {
			return a.stopJob(ctx, api, j.ID, resume)
		}
		return err
	}
	if err := jobFailure(j); err != nil {
		return err
	}
	return a.download(ctx, api, j, to)
}

// startExport starts the job, or finds the one to go on with.
func (a *commands) startExport(ctx context.Context, api *client.Client, x *exportFlags, q client.LogQuery) (*client.Job, error) {
	if x.resume == "" {
		basis := "requests"
		if q.Attempts {
			basis = "attempts"
		}
		return api.ExportLogs(ctx, client.LogExport{
			LogSelection: client.LogSelection{Filter: q.Filter, Range: q.Range},
			Format:       x.format, Columns: q.Fields, Gzip: x.gzip, Basis: basis, Bodies: x.bodies,
		})
	}
	j, err := api.Job(ctx, x.resume)
	if err == nil && j.Resumable {
		return api.ResumeJob(ctx, x.resume)
	}
	return j, err
}

// formatOf settles the form of an export's file.
func (a *commands) formatOf(x *exportFlags, file string) error {
	if !contains([]string{"table", "csv", "jsonl"}, a.flags.output) {
		return usage("an export is -o jsonl or -o csv, not %s", a.flags.output)
	}
	switch {
	case x.format != "":
	case a.flags.output == "csv" || a.flags.output == "jsonl":
		x.format = a.flags.output
	case hasSuffix(file, ".csv", ".csv.gz"):
		x.format = "csv"
	case hasSuffix(file, ".parquet"):
		x.format = "parquet"
	default:
		x.format = "jsonl"
	}
	x.gzip = x.gzip || hasSuffix(file, ".gz")
	if !contains([]string{"jsonl", "csv", "parquet"}, x.format) {
		return usage("--format is not %q: it is jsonl, csv or parquet", x.format)
	}
	return nil
}

func hasSuffix(name string, suffixes ...string) bool {
	for _, s := range suffixes {
		if len(name) > len(s) && name[len(name)-len(s):] == s {
			return true
		}
	}
	return false
}
