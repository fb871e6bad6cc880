package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
)

var _ job.Store = (*DB)(nil)

const jobColumns = "id, account, gateway, kind, actor, state, input, done, total, message, result, file, error, checkpoint, created_at, started_at, ended_at"

// CreateJob implements job.Store.
func (db *DB) CreateJob(ctx context.Context, j job.Stored) error {
	file, err := jobFile(j.File)
	if err != nil {
		return err
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, &sluice.Error{Kind: sluice.KindConflict, Msg: "there is a job of this id"},
			"INSERT INTO jobs ("+jobColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING",
			j.ID, j.Account, j.Gateway, j.Kind, j.Actor, string(j.State), string(j.Input), j.Done, j.Total, j.Message, jsonOrNull(j.Result),
			file, j.Error, jsonOrNull(j.Checkpoint), micros(j.Created), micros(j.Started), micros(j.Ended))
	})
}

// UpdateJob implements job.Store.
func (db *DB) UpdateJob(ctx context.Context, j job.Stored) error {
	file, err := jobFile(j.File)
	if err != nil {
		return err
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, noJob(),
			`UPDATE jobs SET state = $2, done = $3, total = $4, message = $5, result = $6, file = $7, error = $8, checkpoint = $9, started_at = $10, ended_at = $11
			WHERE id = $1`,
			j.ID, string(j.State), j.Done, j.Total, j.Message, jsonOrNull(j.Result), file, j.Error, jsonOrNull(j.Checkpoint), micros(j.Started), micros(j.Ended))
	})
}

func noJob() error { return &sluice.Error{Kind: sluice.KindNotFound, Msg: "job not found"} }

// GetJob implements job.Store.
func (db *DB) GetJob(ctx context.Context, id string) (job.Stored, error) {
	list, err := db.jobs(ctx, "WHERE id = $1", id)
	if err == nil && len(list) == 0 {
		err = noJob()
	}
	if err != nil {
		return job.Stored{}, err
	}
	return list[0], nil
}

// ListJobs implements job.Store.
func (db *DB) ListJobs(ctx context.Context, q job.Query) ([]job.Stored, error) {
	where, args := []string{"account = $1"}, []any{q.Account}
	if q.Process {
		where[0] = "account IN ($1, '')"
	}
	for _, c := range []struct{ condition, value string }{{"kind =", q.Kind}, {"state =", string(q.State)}, {"id <", q.Before}} {
		if c.value != "" {
			args = append(args, c.value)
			where = append(where, fmt.Sprintf("%s $%d", c.condition, len(args)))
		}
	}
	args = append(args, q.Limit)
	return db.jobs(ctx, fmt.Sprintf("WHERE %s ORDER BY id DESC LIMIT $%d", strings.Join(where, " AND "), len(args)), args...)
}

// UnendedJobs implements job.Store.
func (db *DB) UnendedJobs(ctx context.Context) ([]job.Stored, error) {
	return db.jobs(ctx, "WHERE ended_at = 0 ORDER BY id")
}

// DeleteJob implements job.Store.
func (db *DB) DeleteJob(ctx context.Context, id string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, noJob(), "DELETE FROM jobs WHERE id = $1", id)
	})
}

// DeleteEndedJobs implements job.Store.
func (db *DB) DeleteEndedJobs(ctx context.Context, t time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM jobs WHERE ended_at > 0 AND ended_at < $1", micros(t))
		return err
	})
}

// jobs reads the rows that a condition picks.
func (db *DB) jobs(ctx context.Context, where string, args ...any) ([]job.Stored, error) {
	var list []job.Stored
	err := db.all(ctx, func(rows *sql.Rows) error {
		j, err := scanJob(rows)
		list = append(list, j)
		return err
	}, "SELECT "+jobColumns+" FROM jobs "+where, args...)
	return list, err
}

func scanJob(rows *sql.Rows) (j job.Stored, err error) {
	var state, input string
	var result, file, checkpoint sql.NullString
	var created, started, ended int64
	if err := rows.Scan(
		&j.ID, &j.Account, &j.Gateway, &j.Kind, &j.Actor, &state, &input, &j.Done, &j.Total, &j.Message, &result,
		&file, &j.Error, &checkpoint, &created, &started, &ended,
	); err != nil {
		return j, fmt.Errorf("read a job: %w", err)
	}
	j.State, j.Input = job.State(state), json.RawMessage(input)
	j.Result, j.Checkpoint = rawOrNil(result), rawOrNil(checkpoint)
	if file.Valid {
		j.File = &job.File{}
		if err := json.Unmarshal([]byte(file.String), j.File); err != nil {
			return j, fmt.Errorf("job %s: its file: %w", j.ID, err)
		}
	}
	j.Created, j.Started, j.Ended = timeOf(created), timeOf(started), timeOf(ended)
	return j, nil
}

// jobFile is a job's file as it is stored.
func jobFile(f *job.File) (any, error) {
	if f == nil {
		return nil, nil
	}
	text, err := json.Marshal(f)
	return string(text), err
}

// jsonOrNull is a JSON text as it is stored: NULL for none.
func jsonOrNull(text json.RawMessage) any {
	if text == nil {
		return nil
	}
	return string(text)
}

func rawOrNil(text sql.NullString) json.RawMessage {
	if !text.Valid {
		return nil
	}
	return json.RawMessage(text.String)
}
