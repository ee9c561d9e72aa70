package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Entry is one administrative act.
type Entry struct {
	ID     int64  `json:"id" doc:"Counts the account's acts from 1, without gaps." example:"7"`
	At     string `json:"at" format:"date-time" doc:"UTC." example:"2026-01-02T03:04:05Z"`
	By     string `json:"by" doc:"The id of the API key that acted, or cli: somebody at the server's command line." example:"01jd3c8t5w0zq4n7m2r9kx6yva"`
	Action string `json:"action" doc:"account.created, account.disabled, account.enabled, service.created, service.changed, service.deleted, template.saved, template.deleted, key.created, key.revoked or person.erased." example:"service.changed"`
	Target string `json:"target" doc:"The id of what was changed; of a template service/language." example:"default"`
	Before any    `json:"before,omitempty" doc:"As it was; left out where it was not there." example:"{\"name\":\"Shop\"}"`
	After  any    `json:"after,omitempty" doc:"As it became; left out where it is no longer there." example:"{\"name\":\"Shop\",\"code_length\":8}"`
}

// Audit is a page of the log.
type Audit struct {
	Entries []Entry `json:"entries" nullable:"false" doc:"The newest first. Where there are fewer than limit, there are no older ones."`
}

// auditInput is a request for a page.
type auditInput struct {
	Asked
	Before int64 `query:"before" minimum:"1" doc:"Only entries with a smaller id: the last one of the page before." example:"7"`
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"At most so many entries." example:"100"`
}

// audit: GET /v1/audit.
func (s *server) audit() {
	op := shown(about{"audit", "/v1/audit", tagAudit, "Show the audit log",
		"Every administrative act on the account, with what it changed. Entries are written with the change itself, and are never changed. " +
			"They hold no code, no phone number and no key."})
	op.access = admins()
	op.errs = append(op.errs, http.StatusUnprocessableEntity)
	add[Audit](s, op, func(ctx context.Context, in *auditInput) (answer, error) {
		list, err := s.clerk(in.Asked).Log(ctx, in.Before, in.Limit)
		out := Audit{Entries: make([]Entry, 0, len(list))}
		for _, e := range list {
			out.Entries = append(out.Entries, Entry{
				ID: e.N, At: e.At.UTC().Format(time.RFC3339Nano), By: e.By, Action: string(e.Action), Target: e.Target,
				Before: raw(e.Before), After: raw(e.After),
			})
		}
		return told(http.StatusOK, out, err, "account")
	})
}

// raw gives a document as it is kept; none is left out.
func raw(b json.RawMessage) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
