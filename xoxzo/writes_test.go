package xoxzo_test

import (
	"context"
	"testing"

	"github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

// write is one request that may cost money, ring, or count.
type write struct {
	op xoxzotest.Op
	do func(context.Context, *xoxzo.Client) error
}

func writes() []write {
	id := func(_ string, err error) error { return err }
	return []write{
		{xoxzotest.OpPlayback, func(ctx context.Context, c *xoxzo.Client) error { return id(c.CallTTSPlayback(ctx, playback())) }},
		{xoxzotest.OpConfer, func(ctx context.Context, c *xoxzo.Client) error {
			_, err := c.CallConference(ctx, conferenceCall())
			return err
		}},
		{xoxzotest.OpTemplate, func(ctx context.Context, c *xoxzo.Client) error { return id(c.SendTemplateSMS(ctx, templateSMS())) }},
		{xoxzotest.OpLookup, func(ctx context.Context, c *xoxzo.Client) error {
			_, err := c.LookUpCarrier(ctx, number)
			return err
		}},
		{xoxzotest.OpRegister, func(ctx context.Context, c *xoxzo.Client) error {
			return c.RegisterWebsite(ctx, xoxzo.OTPWebsite{Website: website})
		}},
		{xoxzotest.OpRequestOTP, func(ctx context.Context, c *xoxzo.Client) error {
			return id(c.RequestOTP(ctx, xoxzo.OTPRequest{Website: website, Recipient: number}))
		}},
		{xoxzotest.OpVerifyOTP, func(ctx context.Context, c *xoxzo.Client) error {
			ok, err := c.VerifyOTP(ctx, xoxzo.OTPCheck{ID: "x", Recipient: number, Code: "481516"})
			if ok {
				return nil
			}
			return err
		}},
		{xoxzotest.OpSubscribeDIN, func(ctx context.Context, c *xoxzo.Client) error { return c.SubscribeDIN(ctx, dinUID) }},
		{xoxzotest.OpDINAction, func(ctx context.Context, c *xoxzo.Client) error {
			return c.SetDINAction(ctx, dinUID, "http://www.example.com/")
		}},
		{xoxzotest.OpUnsubscribeDIN, func(ctx context.Context, c *xoxzo.Client) error { return c.UnsubscribeDIN(ctx, dinUID) }},
		{xoxzotest.OpSubscribeSIN, func(ctx context.Context, c *xoxzo.Client) error { return c.SubscribeSIN(ctx, sinUID) }},
		{xoxzotest.OpSINAction, func(ctx context.Context, c *xoxzo.Client) error {
			return c.SetSINAction(ctx, sinUID, "http://www.example.com/")
		}},
		{xoxzotest.OpUnsubscribeSIN, func(ctx context.Context, c *xoxzo.Client) error { return c.UnsubscribeSIN(ctx, sinUID) }},
	}
}

func TestWritesAreSentOnce(t *testing.T) {
	t.Parallel()
	echo := `{"detail":"481516, 4 8 1 5 1 6, +81 80-5469-5209"}`
	for _, w := range writes() {
		t.Run(string(w.op), func(t *testing.T) {
			t.Parallel()
			client, server := newPair(t, nil)
			doubtful := []xoxzotest.Fault{
				{Drop: true}, xoxzotest.BrokenGateway(502), xoxzotest.BrokenGateway(503), {Status: 504, Body: echo},
				{Status: 500, Body: echo}, {Status: 202, Body: `{}`},
			}
			if w.op != xoxzotest.OpUnsubscribeDIN && w.op != xoxzotest.OpUnsubscribeSIN {
				doubtful = append(doubtful, xoxzotest.Fault{Status: 204})
			}
			server.Fail(w.op, doubtful...)
			for i := range doubtful {
				err := w.do(t.Context(), client)
				if err == nil || !xoxzo.MayHaveBeenSent(err) || len(server.Requests()) != i+1 {
					t.Errorf("%s, fault %d: %d requests, %v", w.op, i, len(server.Requests()), err)
				}
				checkClean(t, err, server)
			}
			refusals := []xoxzotest.Fault{
				xoxzotest.Unauthorized(), xoxzotest.NotEnoughCredits(), xoxzotest.Throttled(), {Status: 404}, {Status: 400, Body: echo},
				{Status: 400, Body: `{"recipient":["+818054695209"]}`},
			}
			server.Fail(w.op, refusals...)
			for range refusals {
				err := w.do(t.Context(), client)
				if err == nil || xoxzo.MayHaveBeenSent(err) {
					t.Errorf("%s: %v", w.op, err)
				}
				checkClean(t, err, server)
			}
		})
	}
}

// The writes whose answer is read: a success that cannot be read has happened.
func TestUnreadableSuccesses(t *testing.T) {
	t.Parallel()
	bodies := []string{``, `[`, `[]`, `{}`, `null`, `[null]`, `"x"`, `[{"callid":"../x","msgid":"../x","conferenceid":"../x"}]`}
	read := map[xoxzotest.Op]bool{
		xoxzotest.OpPlayback: true, xoxzotest.OpConfer: true, xoxzotest.OpTemplate: true, xoxzotest.OpRequestOTP: true,
		xoxzotest.OpVerifyOTP: true, xoxzotest.OpLookup: true,
	}
	for _, w := range writes() {
		client, server := newPair(t, nil)
		for _, body := range bodies {
			server.Fail(w.op, xoxzotest.Fault{Status: 201, Body: body, ContentType: "application/json"})
			err := w.do(t.Context(), client)
			if read[w.op] && (err == nil || !xoxzo.MayHaveBeenSent(err)) {
				t.Errorf("%s with %q: %v", w.op, body, err)
			}
			if err != nil && !xoxzo.MayHaveBeenSent(err) {
				t.Errorf("%s with %q: taken for a refusal: %v", w.op, body, err)
			}
		}
	}
}
