package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/upkeep"
)

func (a *commands) backupCommand() *cobra.Command {
	var file, resume string
	var masterKey, keep bool
	c := a.command("backup", "Back up the server's data directory, while it runs", func(cmd *cobra.Command, _ []string) error {
		return a.backup(cmd.Context(), file, resume, masterKey, keep)
	})
	c.Args = args(0, 0)
	c.Long = "The server writes an archive as a job; it is downloaded, checked, and removed there. The master key, which opens the\n" +
		"stored provider keys, is not in it unless asked for: keep it elsewhere. Neither is the response cache."
	c.Example = "sluice backup\nsluice backup -O monday.tar.zst\nsluice backup --with-master-key --json"
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&file, "output-file", "O", "", "`file` to write to; without it sluice-backup-(time).tar.zst here")
	f.BoolVar(&masterKey, "with-master-key", false, "with the file that holds the master key: who has the backup can read the stored provider keys")
	f.BoolVar(&keep, "keep", false, "leave the archive on the server, too, for as long as files of jobs are kept")
	f.StringVar(&resume, "resume", "", "wait for and download the backup of this job `id`")
	return c
}

func (a *commands) backup(ctx context.Context, file, resume string, masterKey, keep bool) error {
	if _, err := os.Lstat(file); file != "" && !errors.Is(err, fs.ErrNotExist) {
		return &failure{code: exitConflict, what: file + " exists", hint: "another name, or remove it"}
	}
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	j := &client.Job{ID: resume}
	if resume == "" {
		if j, err = api.Backup(ctx, masterKey); err != nil {
			return err
		}
	}
	id := j.ID
	if j, err = a.wait(ctx, api, id); err != nil {
		if ctx.Err() != nil {
			return a.stopJob(ctx, api, id, "sluice backup")
		}
		return err
	}
	if err := jobFailure(j); err != nil {
		return err
	}
	if j.File != nil && file == "" {
		file = j.File.Name
	}
	if err := a.download(ctx, api, j, file); err != nil {
		return err
	}
	if !keep {
		if _, err := api.DeleteJob(ctx, id); err != nil {
			a.say("the archive is still on the server: %v", err)
		}
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: j.Raw})
	}
	a.say("to restore it: sluice restore %s", file)
	return nil
}

func (a *commands) restoreCommand() *cobra.Command {
	var dir string
	c := a.command("restore <file>", "Make a data directory of a backup (local)", func(_ *cobra.Command, given []string) error {
		if dir == "" {
			loaded, err := config.Load(a.source())
			if err != nil {
				return err
			}
			dir = loaded.Config.DataDir
		}
		return a.restore(given[0], dir)
	})
	c.Args = args(1, 1)
	c.Long = "The directory must not exist, or be empty: nothing is ever overwritten or mixed. It is there when every hash was right.\n" +
		"Then start Sluice with it. A file named - is read from standard input."
	c.Example = "sluice restore monday.tar.zst\nsluice restore monday.tar.zst --data-dir /var/lib/sluice\nssh backups cat monday.tar.zst | sluice restore -"
	c.Flags().StringVar(&dir, "data-dir", "", "`directory` to make; without it the configuration's data_dir")
	return c
}

func (a *commands) restore(file, dir string) error {
	in, size := a.Stdin, (*int64)(nil)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
		if info, err := f.Stat(); err == nil {
			n := info.Size()
			size = &n
		}
	}
	p := a.newProgress("read bytes")
	defer p.end()
	var read int64
	counted := io.TeeReader(in, writerFunc(func(b []byte) (int, error) {
		read += int64(len(b))
		p.at(read, size)
		return len(b), nil
	}))
	m, err := upkeep.Restore(counted, dir, nil)
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		code := exitFailed
		if e.Kind == sluice.KindConflict {
			code = exitConflict
		}
		return &failure{code: code, what: e.Msg, hint: e.Hint, err: err}
	}
	if err != nil {
		return err
	}
	p.end()
	if !contains([]string{"table", "wide"}, a.flags.output) {
		raw, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return a.show(view{raw: raw})
	}
	a.say("%s holds the backup of %s: %d files, %s", dir, a.stamp(m.Created.Truncate(time.Second)), len(m.Files), a.size(m.Bytes()))
	if !m.MasterKey {
		a.say("the master key was not in it: put it back, or the stored provider keys cannot be opened (docs/keys.md)")
	}
	a.say("start it: sluice serve --data-dir %s", dir)
	return nil
}
