package sqlstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/people"
)

var _ people.Store = (*DB)(nil)

const peopleColumns = "id, email, name, instance, granted, members, password, issuer, subject, epoch, version, created_at, last_sign_in_at"

// memberRow is a people.Member in JSON.
type memberRow struct {
	Account string      `json:"account"`
	Role    people.Role `json:"role"`
	Bodies  bool        `json:"bodies,omitempty"`
	Granted bool        `json:"granted,omitempty"`
}

// ListUsers implements people.UserStore.
func (db *DB) ListUsers(ctx context.Context) ([]people.Stored, error) {
	var list []people.Stored
	err := db.all(ctx, func(rows *sql.Rows) error {
		u, err := scanPerson(rows)
		list = append(list, u)
		return err
	}, "SELECT "+peopleColumns+" FROM people ORDER BY created_at, id")
	return list, err
}

func scanPerson(rows *sql.Rows) (u people.Stored, err error) {
	var instance, granted, created, last int64
	var members string
	if err := rows.Scan(&u.ID, &u.Email, &u.Name, &instance, &granted, &members, &u.Password, &u.Issuer, &u.Subject, &u.Epoch, &u.Version, &created, &last); err != nil {
		return u, fmt.Errorf("read a person: %w", err)
	}
	var list []memberRow
	if err := json.Unmarshal([]byte(members), &list); err != nil {
		return u, fmt.Errorf("read what %s may do: %w", u.ID, err)
	}
	for _, m := range list {
		u.Members = append(u.Members, people.Member(m))
	}
	u.Instance, u.Granted, u.HasPassword = instance != 0, granted != 0, u.Password != ""
	u.Created, u.LastSignIn = timeOf(created), timeOf(last)
	return u, nil
}

// PutUser implements people.UserStore.
func (db *DB) PutUser(ctx context.Context, u people.Stored, was int64) error {
	list := make([]memberRow, len(u.Members))
	for i, m := range u.Members {
		list[i] = memberRow(m)
	}
	members, err := json.Marshal(list)
	if err != nil {
		return err
	}
	args := []any{
		u.ID, u.Email, u.Name, bit(u.Instance), bit(u.Granted), string(members), u.Password, u.Issuer, u.Subject, u.Epoch, u.Version,
		micros(u.Created), micros(u.LastSignIn),
	}
	query := "INSERT INTO people (" + peopleColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING"
	if was != 0 {
		query = `UPDATE people SET email = $2, name = $3, instance = $4, granted = $5, members = $6, password = $7, issuer = $8, subject = $9,
			epoch = $10, version = $11, created_at = $12, last_sign_in_at = $13
			WHERE id = $1 AND version = $14
			AND NOT EXISTS (SELECT 1 FROM people WHERE id <> $1 AND (email = $2 OR issuer = $8 AND subject = $9 AND issuer <> ''))`
		args = append(args, was)
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, &sluice.Error{
			Kind: sluice.KindConflict, Msg: "the member was changed at the same time, or somebody else has the e-mail address", Hint: "read it again, then change it",
		}, query, args...)
	})
}

// DeleteUser implements people.UserStore.
func (db *DB) DeleteUser(ctx context.Context, id string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		err := changesOne(ctx, tx, &sluice.Error{Kind: sluice.KindNotFound, Msg: "member not found"}, "DELETE FROM people WHERE id = $1", id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM people_links WHERE person = $1", id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM sessions WHERE person = $1", id)
		return err
	})
}

// PutLink implements people.LinkStore.
func (db *DB) PutLink(ctx context.Context, l people.Link) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM people_links WHERE person = $1", l.User); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO people_links (person, hash, expires_at) VALUES ($1, $2, $3)", l.User, hexOf(l.Hash), micros(l.Expires))
		return err
	})
}

func hexOf(h people.Hash) string { return hex.EncodeToString(h[:]) }

func findLink(ctx context.Context, q querier, hash people.Hash, now time.Time) (people.Link, error) {
	l := people.Link{Hash: hash}
	var expires int64
	err := q.QueryRowContext(ctx, "SELECT person, expires_at FROM people_links WHERE hash = $1 AND expires_at > $2", hexOf(hash), micros(now)).Scan(&l.User, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return people.Link{}, &sluice.Error{Kind: sluice.KindNotFound, Msg: "link not found"}
	}
	l.Expires = timeOf(expires)
	return l, err
}

// FindLink implements people.LinkStore.
func (db *DB) FindLink(ctx context.Context, hash people.Hash, now time.Time) (people.Link, error) {
	return findLink(ctx, db.read, hash, now)
}

// TakeLink implements people.LinkStore.
func (db *DB) TakeLink(ctx context.Context, hash people.Hash, now time.Time) (l people.Link, err error) {
	err = db.change(ctx, func(tx *sql.Tx) error {
		if l, err = findLink(ctx, tx, hash, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM people_links WHERE hash = $1", hexOf(hash))
		return err
	})
	return l, err
}

// DropLinks implements people.LinkStore.
func (db *DB) DropLinks(ctx context.Context, user string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM people_links WHERE person = $1", user)
		return err
	})
}

// ListSessions implements people.SessionStore.
func (db *DB) ListSessions(ctx context.Context, now time.Time) ([]people.StoredSession, error) {
	err := db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE expires_at <= $1", micros(now))
		return err
	})
	if err != nil {
		return nil, err
	}
	var list []people.StoredSession
	err = db.all(ctx, func(rows *sql.Rows) error {
		var s people.StoredSession
		var hash, data string
		var expires int64
		if err := rows.Scan(&hash, &s.User, &s.Epoch, &data, &expires); err != nil {
			return err
		}
		sum, err := hex.DecodeString(hash)
		if err != nil || len(sum) != len(s.Hash) {
			return nil //nolint:nilerr // damaged: its owner signs in again
		}
		if s.Data, err = base64.StdEncoding.DecodeString(data); err != nil {
			return nil //nolint:nilerr // damaged: its owner signs in again
		}
		s.Hash, s.Expires = people.Hash(sum), timeOf(expires)
		list = append(list, s)
		return nil
	}, "SELECT hash, person, epoch, data, expires_at FROM sessions ORDER BY expires_at, hash")
	return list, err
}

// AddSession implements people.SessionStore.
func (db *DB) AddSession(ctx context.Context, s people.StoredSession) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO sessions (hash, person, epoch, data, expires_at) VALUES ($1, $2, $3, $4, $5)",
			hexOf(s.Hash), s.User, s.Epoch, base64.StdEncoding.EncodeToString(s.Data), micros(s.Expires))
		return err
	})
}

// ExtendSession implements people.SessionStore.
func (db *DB) ExtendSession(ctx context.Context, hash people.Hash, data []byte, expires time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE sessions SET data = $2, expires_at = $3 WHERE hash = $1",
			hexOf(hash), base64.StdEncoding.EncodeToString(data), micros(expires))
		return err
	})
}

// DeleteSessions implements people.SessionStore.
func (db *DB) DeleteSessions(ctx context.Context, hashes ...people.Hash) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for _, h := range hashes {
			if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = $1", hexOf(h)); err != nil {
				return err
			}
		}
		return nil
	})
}
