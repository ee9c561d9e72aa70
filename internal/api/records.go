package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pincall/pincall/internal/verify"
)

// Records is what is kept of people, and removed: verify.Core.
type Records interface {
	// Erase removes a person from the caller's account.
	Erase(ctx context.Context, who verify.Caller, req verify.EraseRequest) (verify.Erased, error)
	// Statistics gives the counts of what is no longer kept.
	Statistics(ctx context.Context, who verify.Caller, days verify.Days) ([]verify.Count, error)
}

// tagRecords is the tag of both.
const tagRecords = "records"

// records adds the actions, where there is something to act on.
func (s *server) records() {
	if s.cfg.Records == nil {
		return
	}
	s.huma.OpenAPI().Tags = append(s.huma.OpenAPI().Tags,
		&huma.Tag{Name: tagRecords, Description: "What is kept of people, and what is left when it is removed."})
	s.erase()
	s.statistics()
}

// Erase says whose traces to remove.
type Erase struct {
	Number       string `json:"number" doc:"The number, in E.164." example:"+81312345678"`
	ForgetBlocks bool   `json:"forget_blocks,omitempty" doc:"Also forget that the person reported a service. Otherwise a keyed hash stays, so that they are not called again." example:"false"`
}

// Erased says how many rows were removed.
type Erased struct {
	Verifications int `json:"verifications" doc:"Verifications; pending ones were canceled first." example:"3"`
	Attempts      int `json:"attempts" doc:"Calls and messages." example:"4"`
	Jobs          int `json:"jobs" doc:"Calls, messages and steps that were still to come." example:"0"`
	Limits        int `json:"limits" doc:"Rows of counters." example:"1"`
	Answers       int `json:"answers" doc:"Answers kept for Idempotency-Keys." example:"2"`
	BlocksKept    int `json:"blocks_kept" doc:"Keyed hashes that stay, because the person reported a service." example:"0"`
}

// eraseInput is a request to erase.
type eraseInput struct {
	Asked
	Body Erase
}

// erase: POST /v1/erasures. It keeps no answer: to erase again changes nothing.
func (s *server) erase() {
	op := changed(http.MethodPost, shown(about{"erase", "/v1/erasures", tagRecords, "Erase a person",
		"Removes a number from your account: its verifications with their calls and messages, what was counted of it, and kept answers. " +
			"Pending verifications are canceled and hung up first, which can take 15 seconds. Backups are not changed."}))
	op.DefaultStatus, op.unkept = http.StatusOK, true
	op.errs = append(op.errs, http.StatusUnprocessableEntity)
	add[Erased](s, op, func(ctx context.Context, in *eraseInput) (answer, error) {
		who := in.request.Caller
		did, err := s.cfg.Records.Erase(ctx, who, verify.EraseRequest{Number: in.Body.Number, ForgetBlocks: in.Body.ForgetBlocks})
		if s.cfg.Directory != nil && did.Verifications+did.Limits+did.Answers > 0 { // also where the files could not be scrubbed
			err = errors.Join(err, s.clerk(in.Asked).Erased(ctx, did.Verifications))
		}
		return told(http.StatusOK, Erased(did), err, "account")
	})
}

// Statistics is what is left of verifications that are no longer kept.
type Statistics struct {
	Counts []Count `json:"counts" nullable:"false" doc:"The oldest day first."`
}

// Count sums up verifications that were alike.
type Count struct {
	Day           string `json:"day" doc:"The day of the start, UTC." example:"2026-01-02"`
	Service       string `json:"service" doc:"The service." example:"default"`
	Country       string `json:"country" doc:"The number's country, ISO 3166." example:"JP"`
	Channel       string `json:"channel,omitempty" doc:"The channel of the last attempt." example:"voice"`
	Status        string `json:"status" doc:"How they ended." example:"approved"`
	Outcome       string `json:"outcome,omitempty" doc:"How the last attempt ended." example:"heard"`
	Verifications int64  `json:"verifications" doc:"How many." example:"120"`
	Sends         int64  `json:"sends" doc:"Their calls and messages together." example:"131"`
	Guesses       int64  `json:"guesses" doc:"Their wrong guesses together." example:"9"`
}

// statisticsInput is a request for counts.
type statisticsInput struct {
	Asked
	From string `query:"from" doc:"The first day, UTC." example:"2026-01-01"`
	To   string `query:"to" doc:"The last day, UTC." example:"2026-01-31"`
}

// statistics: GET /v1/statistics.
func (s *server) statistics() {
	op := shown(about{"statistics", "/v1/statistics", tagRecords, "Show statistics",
		"Counts of verifications that are no longer kept, because they ended longer ago than the server's retention. What is still kept is not in them."})
	op.errs = append(op.errs, http.StatusUnprocessableEntity)
	add[Statistics](s, op, func(ctx context.Context, in *statisticsInput) (answer, error) {
		list, err := s.cfg.Records.Statistics(ctx, in.request.Caller, verify.Days{From: in.From, To: in.To})
		out := Statistics{Counts: make([]Count, 0, len(list))}
		for _, c := range list {
			out.Counts = append(out.Counts, Count{
				c.Day, c.Service, c.Country, c.Channel, string(c.Status), c.Outcome, c.N, c.Sends, c.Guesses,
			})
		}
		return told(http.StatusOK, out, err, "account")
	})
}
