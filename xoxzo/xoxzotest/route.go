package xoxzotest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// routes are the paths by method and operation; "{}" stands for one identifier. A path without its trailing slash is none.
var routes = [][3]string{
	{"POST", "/voice/simple/playbacks/", string(OpPlayback)},
	{"GET", "/voice/calls/{}/", string(OpCall)},
	{"POST", "/voice/simple/conferences/", string(OpConfer)},
	{"GET", "/voice/simple/conferences/{}/", string(OpConference)},
	{"POST", "/sms/messages/", string(OpSend)},
	{"GET", "/sms/messages/", string(OpSent)},
	{"GET", "/sms/messages/{}/", string(OpMessage)},
	{"GET", "/sms/templates/", string(OpTemplates)},
	{"POST", "/sms/templates/{}/messages/", string(OpTemplate)},
	{"POST", "/utilities/carrierlookup/", string(OpLookup)},
	{"POST", "/otp/register-website/", string(OpRegister)},
	{"POST", "/otp/request/", string(OpRequestOTP)},
	{"POST", "/otp/verify/", string(OpVerifyOTP)},
	{"GET", "/you/credits/", string(OpCredits)},
	{"GET", "/voice/dins/", string(OpDINs)},
	{"POST", "/voice/dins/subscriptions/", string(OpSubscribeDIN)},
	{"GET", "/voice/dins/subscriptions/", string(OpDINSubs)},
	{"POST", "/voice/dins/subscriptions/{}/", string(OpDINAction)},
	{"DELETE", "/voice/dins/subscriptions/{}/", string(OpUnsubscribeDIN)},
	{"GET", "/sms/sins/", string(OpSINs)},
	{"POST", "/sms/sins/subscriptions/", string(OpSubscribeSIN)},
	{"GET", "/sms/sins/subscriptions/", string(OpSINSubs)},
	{"POST", "/sms/sins/subscriptions/{}/", string(OpSINAction)},
	{"DELETE", "/sms/sins/subscriptions/{}/", string(OpUnsubscribeSIN)},
}

// route names the operation of a path. allowed are the methods that the path has, none for an unknown path; the operation
// is empty unless method is among them.
func route(method, path string) (act action, allowed []string) {
	for _, row := range routes {
		id, ok := match(row[1], path)
		if !ok {
			continue
		}
		allowed = append(allowed, row[0])
		if row[0] == method {
			act = action{op: Op(row[2]), id: id}
		}
	}
	return act, allowed
}

func match(pattern, path string) (id string, ok bool) {
	before, after, variable := strings.Cut(pattern, "{}")
	if !variable {
		return "", path == pattern
	}
	rest, found := strings.CutPrefix(path, before)
	id, ended := strings.CutSuffix(rest, after)
	return id, found && ended && id != "" && !strings.Contains(id, "/")
}

// takesQuery: everything else is refused with a query.
func (o Op) takesQuery() bool { return slices.Contains([]Op{OpSent, OpDINs, OpSINs}, o) }

// takesJSON: where Xoxzo's documents or tutorials post JSON. Forms are taken there too.
func (o Op) takesJSON() bool {
	return slices.Contains([]Op{OpTemplate, OpRegister, OpRequestOTP, OpVerifyOTP}, o)
}

// formOf turns a JSON object into the form that says the same: texts as they are, numbers as they are written, objects as
// JSON. Everything else is refused, null too. A non-zero status in the answer means refused.
func formOf(raw []byte) (url.Values, answer) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return nil, detail(http.StatusBadRequest, "JSON parse error")
	}
	form := url.Values{}
	for name, value := range object {
		var text string
		var number json.Number
		switch {
		case bytes.HasPrefix(value, []byte("{")):
			form.Set(name, string(value))
		case bytes.HasPrefix(value, []byte(`"`)) && json.Unmarshal(value, &text) == nil:
			form.Set(name, text)
		case json.Unmarshal(value, &number) == nil && number != "":
			form.Set(name, number.String())
		default:
			return nil, answer{status: http.StatusBadRequest, body: complaints{name: {"Not a valid string."}}}
		}
	}
	return form, answer{}
}
