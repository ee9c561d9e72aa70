package xoxzo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/xoxzo"
	"github.com/pincall/pincall/xoxzo/xoxzotest"
)

const (
	second  = "+815012345678"
	website = "https://www.example.com"
	dinUID  = "JPafr34rafic76tf"
	sinUID  = "JPsin00000000001"
)

func conferenceCall() xoxzo.ConferenceCall {
	return xoxzo.ConferenceCall{Caller: "+60312345678", Participants: []string{number, second}}
}

func templateSMS() xoxzo.TemplateSMS {
	return xoxzo.TemplateSMS{
		TemplateID: "6", Sender: "Example", Recipient: number,
		Variables: map[string]string{"name": "Hanako", "order_number": "481516"},
	}
}

func TestConferenceLife(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	server.ScriptCalls(second, xoxzotest.Life{Statuses: []string{"IN_PROGRESS", "BUSY"}})
	ref, err := client.CallConference(t.Context(), conferenceCall())
	if err != nil || len(ref.CallIDs) != 2 {
		t.Fatalf("%v, %v", ref, err)
	}
	var got []string
	var last xoxzo.Conference
	for range 3 {
		if last, err = client.Conference(t.Context(), ref.ID); err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprint(last.Status, " ", last.Ended())
		for _, leg := range last.Legs {
			line += fmt.Sprint(" ", leg.Status)
		}
		got = append(got, line)
	}
	want := []string{"IN_PROGRESS false IN_PROGRESS IN_PROGRESS", "ANSWERED false ANSWERED BUSY", "ANSWERED true ANSWERED BUSY"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if last.Caller != "60312345678" || last.Cost != 40 || last.EndTime.IsZero() || server.Credits() != 960 {
		t.Errorf("%v, cost %v, credits %v", last, last.Cost, server.Credits())
	}
	leg, err := client.Call(t.Context(), ref.CallIDs[1])
	if err != nil || leg.Type != "simple/conferences" || leg.Recipient != second {
		t.Errorf("%v, %v", leg, err)
	}
	if _, err := client.Conference(t.Context(), "unknown"); !xoxzo.IsNotFound(err) {
		t.Errorf("unknown conference: %v", err)
	}
	server.SetCredits(39) // enough for one leg: none is called
	if _, err := client.CallConference(t.Context(), conferenceCall()); !xoxzo.IsNotEnoughCredits(err) || len(server.Calls()) != 2 {
		t.Errorf("%v, %d calls", err, len(server.Calls()))
	}
}

func TestSentSMS(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	day := time.Date(2026, 3, 10, 23, 30, 0, 0, time.UTC)
	ids := map[string]string{}
	for i := range 3 {
		server.SetNow(func() time.Time { return day.AddDate(0, 0, i) })
		id, err := client.SendSMS(t.Context(), xoxzo.SMS{Message: "hello", Recipient: number, Sender: "Example"})
		if err != nil {
			t.Fatal(err)
		}
		ids[id] = fmt.Sprint(10 + i)
	}
	middle := day.AddDate(0, 0, 1).In(time.FixedZone("JST", 9*60*60)) // already the 12th in Japan
	for op, want := range map[xoxzo.SentOp]string{
		xoxzo.SentBefore: "10", xoxzo.SentUntil: "10 11", xoxzo.SentOn: "11", xoxzo.SentFrom: "11 12", xoxzo.SentAfter: "12",
	} {
		list, err := client.SentSMS(t.Context(), xoxzo.SentFilter{Op: op, Date: middle})
		var got []string
		for _, m := range list {
			got = append(got, ids[m.ID])
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v; want %s", op, got, err, want)
		}
		requests := server.Requests()
		if query := requests[len(requests)-1].Query; query != "sent_date"+string(op)+"2026-03-11" {
			t.Errorf("raw query %q", query)
		}
	}
	if list, err := client.SentSMS(t.Context(), xoxzo.SentFilter{}); err != nil || len(list) != 3 || list[0].Recipient != number {
		t.Errorf("all: %v, %v", list, err)
	}
	_, err := client.SentSMS(t.Context(), xoxzo.SentFilter{Op: xoxzo.SentFrom, Date: day.AddDate(0, 0, -90)})
	var refused *xoxzo.Error
	if !errors.As(err, &refused) || refused.Status != 400 || len(refused.Fields["sent_date"]) != 1 {
		t.Errorf("91 days: %v", err)
	}
	server.Fail(xoxzotest.OpSent, xoxzotest.Fault{Status: 200, Body: `[{"msgid":"a"},{"status":"OK"}]`})
	if list, err := client.SentSMS(t.Context(), xoxzo.SentFilter{}); err == nil || list != nil {
		t.Errorf("a gap in the list: %v", list)
	}
	large := `[` + strings.Repeat(`{"msgid":"a","sender":"`+strings.Repeat("x", 1000)+`"},`, 1000) + `{"msgid":"b"}]`
	server.Fail(xoxzotest.OpSent, xoxzotest.Fault{Status: 200, Body: large})
	if list, err := client.SentSMS(t.Context(), xoxzo.SentFilter{}); err != nil || len(list) != 1001 {
		t.Errorf("a megabyte: %d messages, %v", len(list), err)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	server.AddTemplate(xoxzotest.Template{ID: 9, Name: "Code", Approved: "Your code is {code}", Pending: "{code}: code"})
	list, err := client.Templates(t.Context())
	want := []xoxzo.Template{
		{ID: "6", Name: "Welcome SMS", Approved: "Hi {name}! This is your discount {order_number}", Status: xoxzo.TemplateApproved},
		{ID: "7", Name: "Welcome 2", Pending: "Variables must {name}", Status: xoxzo.TemplatePending},
		{ID: "9", Name: "Code", Approved: "Your code is {code}", Pending: "{code}: code", Status: xoxzo.TemplateApproved},
	}
	if diff := cmp.Diff(want, list); diff != "" || err != nil {
		t.Fatal(err, diff)
	}
	m := templateSMS()
	m.Tags = []string{"a", "b"}
	id, err := client.SendTemplateSMS(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if sent := server.Messages()[0]; sent.Text != "Hi Hanako! This is your discount 481516" || sent.Tags != "a,b" {
		t.Error("the message is not what the template makes of it")
	}
	if got, err := client.SMS(t.Context(), id); err != nil || got.Sender != "Example" {
		t.Errorf("%v, %v", got, err)
	}
	for name, change := range map[string]func(*xoxzo.TemplateSMS){
		"pending":       func(m *xoxzo.TemplateSMS) { m.TemplateID = "7"; delete(m.Variables, "order_number") },
		"missing":       func(m *xoxzo.TemplateSMS) { delete(m.Variables, "name") },
		"none":          func(m *xoxzo.TemplateSMS) { m.Variables = nil },
		"one too many":  func(m *xoxzo.TemplateSMS) { m.Variables["x"] = "y" },
		"empty":         func(m *xoxzo.TemplateSMS) { m.Variables["name"] = "" },
		"sender":        func(m *xoxzo.TemplateSMS) { m.Sender = "ElevenChars" },
		"trunk 0":       func(m *xoxzo.TemplateSMS) { m.Recipient = "+8108054695209" },
		"no such (404)": func(m *xoxzo.TemplateSMS) { m.TemplateID = "8" },
	} {
		m := templateSMS()
		change(&m)
		_, err := client.SendTemplateSMS(t.Context(), m)
		var refused *xoxzo.Error
		if !errors.As(err, &refused) || refused.Status != 400 && !xoxzo.IsNotFound(err) || xoxzo.MayHaveBeenSent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Fail(xoxzotest.OpTemplate, xoxzotest.BadField("variables", `Hanako and 4 8 1 5 1 6 are wrong`))
	if _, err := client.SendTemplateSMS(t.Context(), templateSMS()); err == nil || strings.Contains(err.Error(), "Hanako") {
		t.Error("an echo of a variable is shown")
	}
}

func TestCarrier(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	server.SetNetwork(number, xoxzotest.Network{MCC: "440", MNC: "054", Carrier: "KDDI", Country: "JP"})
	got, err := client.LookUpCarrier(t.Context(), number)
	want := xoxzo.Carrier{
		ID: got.ID, MCC: "440", MNC: "054", MCCMNC: "440054", Name: "KDDI", Country: "JP", Recipient: number, Cost: 5,
	}
	if err != nil || !got.Known() || len(got.ID) != 32 || got != want {
		t.Errorf("%v, %v", got, err)
	}
	got, err = client.LookUpCarrier(t.Context(), "+81312345678")
	if err != nil || got.Known() || got != (xoxzo.Carrier{Recipient: "+81312345678"}) {
		t.Errorf("landline: %v, %v", got, err)
	}
	server.SetCredits(4)
	if _, err := client.LookUpCarrier(t.Context(), number); !xoxzo.IsNotEnoughCredits(err) {
		t.Error(err)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	ctx := t.Context()
	for filter, want := range map[xoxzo.NumberFilter]int{{}: 2, {Country: "JP"}: 2, {Country: "US"}: 0, {Prefix: "813"}: 1} {
		if list, err := client.DINs(ctx, filter); err != nil || len(list) != want {
			t.Errorf("%v: %v, %v", filter, list, err)
		}
	}
	list, err := client.DINs(ctx, xoxzo.NumberFilter{Prefix: "8150"})
	want := xoxzo.Number{UID: dinUID, Number: "815012345678", CountryCode: "81", Prefix: "50", MonthlyCost: 650, MinuteCost: 1}
	if err != nil || len(list) != 1 || list[0] != want {
		t.Errorf("%v, %v", list, err)
	}
	if err := client.SubscribeDIN(ctx, "JPascfdrwersdf12"); !xoxzo.IsNotEnoughCredits(err) {
		t.Errorf("1900 of 1000 credits: %v", err)
	}
	if err := client.SubscribeDIN(ctx, dinUID); err != nil || server.Credits() != 350 {
		t.Errorf("%v, credits %v", err, server.Credits())
	}
	if err := client.SubscribeDIN(ctx, dinUID); err == nil || xoxzo.MayHaveBeenSent(err) {
		t.Errorf("twice: %v", err)
	}
	const action = "http://127.0.0.1:1/din?key=a"
	if err := client.SetDINAction(ctx, dinUID, action); err != nil {
		t.Error(err)
	}
	subs, err := client.DINSubscriptions(ctx)
	if diff := cmp.Diff([]xoxzo.Subscription{{Number: want, ActionURL: action}}, subs); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if err := client.UnsubscribeDIN(ctx, dinUID); err != nil {
		t.Error(err)
	}
	if err := client.UnsubscribeDIN(ctx, dinUID); !xoxzo.IsNotFound(err) {
		t.Errorf("given back twice: %v", err)
	}
	if err := client.SetDINAction(ctx, dinUID, action); !xoxzo.IsNotFound(err) {
		t.Errorf("not ours any more: %v", err)
	}
	server.Fail(xoxzotest.OpUnsubscribeDIN, xoxzotest.Fault{Status: 204})
	if err := client.UnsubscribeDIN(ctx, dinUID); err != nil {
		t.Errorf("204: %v", err)
	}
}

func TestNumbersForMessages(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	ctx := t.Context()
	list, err := client.SINs(ctx, xoxzo.NumberFilter{Country: "JP"})
	if err != nil || len(list) != 1 || list[0].UID != sinUID || list[0].Number != "818012345678" {
		t.Fatalf("%v, %v", list, err)
	}
	if err := client.SubscribeSIN(ctx, sinUID); err != nil || server.Credits() != 500 {
		t.Error(err, server.Credits())
	}
	if err := client.SetSINAction(ctx, sinUID, "https://www.example.com/sms"); err != nil {
		t.Error(err)
	}
	if subs, err := client.SINSubscriptions(ctx); err != nil || len(subs) != 1 || subs[0].ActionURL != "https://www.example.com/sms" {
		t.Errorf("%v, %v", subs, err)
	}
	if subs, err := client.DINSubscriptions(ctx); err != nil || len(subs) != 0 {
		t.Errorf("of the other kind: %v, %v", subs, err)
	}
	if err := client.UnsubscribeSIN(ctx, sinUID); err != nil {
		t.Error(err)
	}
}

func TestMoreBadInput(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	ctx := t.Context()
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	for _, c := range []xoxzo.ConferenceCall{
		{}, {Caller: "1", Participants: []string{number}}, {Caller: "Acme", Participants: []string{number, second}},
		{Caller: "1", Participants: []string{number, number}}, {Caller: "1", Participants: []string{number, "+8150,+8160"}},
	} {
		_, err := client.CallConference(ctx, c)
		add(err)
	}
	for _, f := range []xoxzo.SentFilter{
		{Op: ">="}, {Date: time.Unix(0, 0)}, {Op: "!=", Date: time.Unix(0, 0)}, {Op: "=x&y=", Date: time.Unix(0, 0)},
		{Op: "=", Date: time.Date(99, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := client.SentSMS(ctx, f)
		add(err)
	}
	for _, f := range []xoxzo.NumberFilter{{Country: "JP", Prefix: "813"}, {Prefix: "813&x"}} {
		_, err := client.DINs(ctx, f)
		add(err)
		_, err = client.SINs(ctx, f)
		add(err)
	}
	for _, k := range []xoxzo.OTPCheck{{}, {ID: "a"}, {ID: "a", Code: "12 34"}, {ID: "a/b", Code: "1234"}, {ID: "a", Code: "1234", Recipient: "1"}} {
		_, err := client.VerifyOTP(ctx, k)
		add(err)
	}
	_, err := client.SendTemplateSMS(ctx, xoxzo.TemplateSMS{TemplateID: "../x", Sender: "a", Recipient: number})
	add(err)
	_, err = client.SendTemplateSMS(ctx, xoxzo.TemplateSMS{TemplateID: "6", Recipient: number})
	add(err)
	_, err = client.LookUpCarrier(ctx, "818054695209")
	add(err)
	_, err = client.RequestOTP(ctx, xoxzo.OTPRequest{Recipient: number})
	add(err)
	_, err = client.Conference(ctx, "a/b")
	add(err)
	add(client.RegisterWebsite(ctx, xoxzo.OTPWebsite{}))
	add(client.RegisterWebsite(ctx, xoxzo.OTPWebsite{Website: website, TemplateID: -1}))
	add(client.SubscribeDIN(ctx, ""))
	add(client.SubscribeSIN(ctx, "a b"))
	add(client.SetDINAction(ctx, dinUID, "nowhere"))
	add(client.SetSINAction(ctx, "", "http://www.example.com"))
	add(client.UnsubscribeDIN(ctx, ".."))
	add(client.UnsubscribeSIN(ctx, "?"))
	for i, err := range errs {
		if !errors.Is(err, xoxzo.ErrInput) || xoxzo.MayHaveBeenSent(err) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestMoreMasks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	n := xoxzo.Number{UID: "a", Number: "818054695209"}
	values := []any{
		conferenceCall(), templateSMS(), xoxzo.Carrier{Recipient: number, Name: "54695209"}, n,
		xoxzo.Subscription{Number: n, ActionURL: "http://tok-en"}, xoxzo.OTPRequest{Recipient: number},
		xoxzo.OTPCheck{ID: "x", Recipient: number, Code: "481516"}, xoxzo.Incoming{Caller: "818054695209", Recipient: "818054695209"},
		xoxzo.Conference{ID: "x", Caller: "818054695209", Legs: []xoxzo.Call{{Recipient: number}}},
		xoxzo.Call{Recipient: number}, xoxzo.Message{Recipient: number}, xoxzo.SMS{Recipient: number, Message: "481516"}, playback(),
	}
	for _, v := range values {
		for _, shown := range []any{v, []any{v}, struct{ V any }{v}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				fmt.Fprintf(&out, verb+"\n", shown)
			}
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", shown)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", shown)
			raw, err := json.Marshal(shown)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(raw)
		}
	}
	for _, secret := range []string{"8054695209", "54695209", "481516", "4 8 1 5", "tok-en", "Hanako", "343831353136", "12345678"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("shown: %d characters of a secret", len(secret))
		}
	}
}

func TestListsAreTriedAgain(t *testing.T) {
	t.Parallel()
	client, server := newPair(t, nil)
	server.Fail(xoxzotest.OpTemplates, xoxzotest.Fault{Drop: true}, xoxzotest.BrokenGateway(503))
	if list, err := client.Templates(t.Context()); err != nil || len(list) != 2 || len(server.Requests()) != 3 {
		t.Errorf("%v, %v after %d requests", list, err, len(server.Requests()))
	}
}
