package sipcall

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Class says how a call that nobody answered ended.
type Class string

// The classes.
const (
	Busy        Class = "busy"        // the line was engaged
	NoAnswer    Class = "no_answer"   // it rang out
	Rejected    Class = "rejected"    // the person declined
	Unreachable Class = "unreachable" // no such number, switched off, out of coverage
	Refused     Class = "refused"     // the carrier will not place this call
	Failed      Class = "failed"      // the carrier or the network broke
	Canceled    Class = "canceled"    // our own wish
	NoRoom      Class = "no_room"     // our own media has no room for another call
)

// Fault says whose doing it was.
type Fault string

// The parties.
const (
	FaultPerson  Fault = "person"
	FaultNumber  Fault = "number"
	FaultCarrier Fault = "carrier"
	FaultOurs    Fault = "ours"
)

// Failure is why a call was not answered. Its texts hold no number.
type Failure struct {
	Class  Class
	Fault  Fault
	Status int    // the final SIP answer; 0: none came
	Q850   int    // cause of the Reason header (RFC 3326, ITU-T Q.850); 0: none
	Reason string // for a person to read

	// MayHaveRung is false only where the phone provably did not ring: the
	// INVITE never left, or a final answer says so and no 18x came on any branch.
	MayHaveRung bool
	RetryAfter  time.Duration // the carrier asks to be left alone for so long; 0: it does not
	Path        Path
	Err         error // the cause, for the log
}

// Error is the class and the reason.
func (f *Failure) Error() string {
	s := "sipcall: " + string(f.Class) + ": " + f.Reason
	if f.Status != 0 {
		s += fmt.Sprintf(" (SIP %d", f.Status)
		if f.Q850 != 0 {
			s += fmt.Sprintf(", Q.850 cause %d", f.Q850)
		}
		s += ")"
	}
	return s
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Path is how a call was diverted on its way, without the numbers.
type Path struct {
	Forwarded bool     // 181, a Diversion header, or a History-Info of more than one hop
	Hops      int      // entries of History-Info (RFC 7044) or Diversion (RFC 5806)
	Reasons   []string // of the diversions: "unconditional", "user-busy", "302"
}

// errNotSent marks an error of a request that never left as a whole.
var errNotSent = errors.New("the request was not sent")

// verdict is what an answer without 18x means.
type verdict struct {
	class  Class
	fault  Fault
	rung   bool // the phone may have rung although no 18x said so
	firm   bool // Q.850 does not change the class
	reason string
}

// statuses are the final answers whose meaning is known: RFC 3261 section 21 and
// the RFCs named, with RFC 3398 for what gateways make of Q.850 causes.
var statuses = map[int]verdict{
	400: {Refused, FaultOurs, false, false, "the carrier does not understand the call"},
	401: {Refused, FaultOurs, false, true, "the carrier did not accept the user or password"},
	402: {Refused, FaultOurs, false, true, "the carrier wants to be paid"},
	403: {Refused, FaultOurs, false, false, "the carrier forbids this call"},
	404: {Unreachable, FaultNumber, false, true, "the number does not exist"},
	405: {Refused, FaultCarrier, false, true, "the carrier takes no calls here"},
	406: {Refused, FaultOurs, false, false, "the carrier does not accept the call's form"},
	407: {Refused, FaultOurs, false, true, "the carrier did not accept the user or password"},
	408: {Failed, FaultCarrier, true, false, "the carrier got no answer in time"},
	410: {Unreachable, FaultNumber, false, true, "the number is gone"},
	413: {Refused, FaultOurs, false, true, "the carrier finds the call's request too long"},
	414: {Refused, FaultOurs, false, true, "the carrier finds the address too long"},
	415: {Refused, FaultOurs, false, true, "the carrier does not take our media description"},
	416: {Refused, FaultOurs, false, true, "the carrier does not take the address's form"},
	420: {Refused, FaultOurs, false, true, "the carrier does not know an extension"},
	421: {Refused, FaultCarrier, false, true, "the carrier wants an extension that we do not have"},
	422: {Refused, FaultCarrier, false, true, "the carrier wants a longer session timer"},
	423: {Refused, FaultCarrier, false, true, "the carrier wants a longer interval"},
	428: {Refused, FaultOurs, false, true, "the carrier wants a signed identity"}, // RFC 8224
	433: {Refused, FaultOurs, false, true, "the number takes no anonymous calls"}, // RFC 5079
	436: {Refused, FaultOurs, false, true, "the carrier cannot check the identity"},
	437: {Refused, FaultOurs, false, true, "the carrier does not take the identity's certificate"},
	438: {Refused, FaultOurs, false, true, "the carrier does not take the identity"},
	480: {Unreachable, FaultNumber, true, false, "the phone is not available now"},
	481: {Failed, FaultCarrier, true, true, "the carrier lost the call"},
	482: {Failed, FaultCarrier, false, true, "the call went in a circle"},
	483: {Failed, FaultCarrier, false, true, "the call went through too many hops"},
	484: {Unreachable, FaultNumber, false, true, "the number is incomplete"},
	485: {Unreachable, FaultNumber, false, true, "the number is ambiguous"},
	486: {Busy, FaultPerson, true, true, "the line is busy"},
	487: {Failed, FaultCarrier, true, false, "the call was ended by the carrier"},
	488: {Refused, FaultOurs, false, true, "the carrier does not take our codecs or encryption"},
	489: {Refused, FaultCarrier, false, true, "the carrier does not know the event"},
	491: {Failed, FaultCarrier, true, true, "the carrier was in the middle of another request"},
	493: {Refused, FaultOurs, false, true, "the carrier cannot read the body"},
	494: {Refused, FaultOurs, false, true, "the carrier wants a security agreement"},
	500: {Failed, FaultCarrier, false, false, "the carrier has an internal error"},
	501: {Failed, FaultCarrier, false, true, "the carrier does not place calls"},
	502: {Failed, FaultCarrier, false, false, "the carrier's gateway failed"},
	503: {Failed, FaultCarrier, false, false, "the carrier has no capacity"},
	504: {Failed, FaultCarrier, true, false, "the carrier's next hop did not answer in time"},
	505: {Failed, FaultCarrier, false, true, "the carrier does not speak SIP/2.0"},
	513: {Refused, FaultOurs, false, true, "the carrier finds the message too long"},
	580: {Refused, FaultCarrier, false, true, "the carrier could not reserve the line"}, // RFC 3312
	600: {Busy, FaultPerson, true, true, "the person is busy everywhere"},
	603: {Rejected, FaultPerson, true, true, "the person declined the call"},
	604: {Unreachable, FaultNumber, false, true, "the number does not exist anywhere"},
	606: {Refused, FaultOurs, false, true, "the other end does not take our codecs or encryption"},
	607: {Rejected, FaultPerson, true, true, "the person does not want such calls"},             // RFC 8197
	608: {Refused, FaultCarrier, false, true, "a filter on the way took the call for unwanted"}, // RFC 8688
}

// causes are the Q.850 causes that say more than a general SIP answer.
var causes = map[int]verdict{
	1:   {class: Unreachable, fault: FaultNumber, reason: "the number does not exist"},
	2:   {class: Failed, fault: FaultCarrier, reason: "the carrier has no route to the network"},
	3:   {class: Unreachable, fault: FaultNumber, reason: "there is no route to the number"},
	17:  {class: Busy, fault: FaultPerson, rung: true, reason: "the line is busy"},
	18:  {class: NoAnswer, fault: FaultPerson, rung: true, reason: "the phone did not respond"},
	19:  {class: NoAnswer, fault: FaultPerson, rung: true, reason: "nobody answered"},
	20:  {class: Unreachable, fault: FaultNumber, reason: "the phone is switched off or out of coverage"},
	21:  {class: Rejected, fault: FaultPerson, rung: true, reason: "the person declined the call"},
	22:  {class: Unreachable, fault: FaultNumber, reason: "the number has changed"},
	27:  {class: Unreachable, fault: FaultNumber, reason: "the phone's line is out of order"},
	28:  {class: Unreachable, fault: FaultNumber, reason: "the number is incomplete"},
	34:  {class: Failed, fault: FaultCarrier, reason: "the carrier has no free circuit"},
	38:  {class: Failed, fault: FaultCarrier, reason: "the carrier's network is out of order"},
	41:  {class: Failed, fault: FaultCarrier, reason: "the carrier has a temporary failure"},
	42:  {class: Failed, fault: FaultCarrier, reason: "the carrier's equipment is congested"},
	44:  {class: Failed, fault: FaultCarrier, reason: "the carrier's circuit is not available"},
	47:  {class: Failed, fault: FaultCarrier, reason: "the carrier has no resource"},
	50:  {class: Refused, fault: FaultOurs, reason: "the carrier has not subscribed us to this"},
	52:  {class: Refused, fault: FaultOurs, reason: "outgoing calls are barred"},
	55:  {class: Refused, fault: FaultNumber, reason: "calls to this number are barred"},
	57:  {class: Refused, fault: FaultOurs, reason: "the carrier has not authorised this"},
	102: {class: Failed, fault: FaultCarrier, rung: true, reason: "the carrier's timer ran out"},
}

// classify makes the failure of a final answer with the Q.850 cause that its
// Reason header told, or 0. rang: an 18x came on some branch.
func classify(status, q850 int, rang bool) *Failure {
	v, known := statuses[status]
	if !known {
		v = unknownStatus(status)
	}
	c, told := causes[q850]
	if told {
		if v.firm {
			v.rung = v.rung || c.rung
		} else {
			v = c
		}
	}
	if rang && !told && (status == 408 || status == 480) {
		v.class, v.fault, v.reason = NoAnswer, FaultPerson, "nobody answered"
	}
	return &Failure{
		Class: v.class, Fault: v.fault, Status: status, Q850: q850, Reason: v.reason,
		MayHaveRung: v.rung || rang,
	}
}

// unknownStatus follows RFC 3261 8.1.3.2: an unknown answer is its class's x00.
// What it says of the ringing is nothing.
func unknownStatus(status int) verdict {
	switch status / 100 {
	case 3:
		return verdict{Failed, FaultCarrier, false, true, "the carrier sent the call elsewhere"}
	case 4:
		return verdict{Refused, FaultCarrier, true, false, "the carrier refused the call"}
	case 5:
		return verdict{Failed, FaultCarrier, true, false, "the carrier failed"}
	case 6:
		return verdict{Rejected, FaultPerson, true, true, "the call was declined everywhere"}
	}
	return verdict{Failed, FaultCarrier, true, true, "the carrier's answer makes no sense"}
}

// parseReasons reads the first Q.850 cause of the Reason headers (RFC 3326); 0:
// there is none. The text beside it may name the number, and is left alone.
func parseReasons(values []string) int {
	for _, value := range values {
		for _, one := range splitQuoted(value, ',') {
			parts := splitQuoted(one, ';')
			protocol := strings.TrimSpace(parts[0])
			for _, p := range parts[1:] {
				k, v, _ := strings.Cut(p, "=")
				k, v = strings.ToLower(strings.TrimSpace(k)), unquote(strings.TrimSpace(v))
				if n, ok := smallNumber(v); ok && k == "cause" && strings.EqualFold(protocol, "Q.850") && 0 < n && n <= 127 {
					return n
				}
			}
		}
	}
	return 0
}

// maxRetryAfter bounds what a carrier's Retry-After can do to a proxy.
const maxRetryAfter = time.Hour

// parseRetryAfter reads Retry-After (RFC 3261 20.33): seconds, perhaps a comment
// and parameters. What cannot be read is 0.
func parseRetryAfter(value string) time.Duration {
	value = strings.TrimSpace(value)
	end := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' })
	rest := ""
	if end >= 0 {
		value, rest = value[:end], strings.TrimSpace(value[end:])
	}
	n, ok := smallNumber(value)
	if value == "" || rest != "" && rest[0] != '(' && rest[0] != ';' {
		return 0
	}
	if !ok {
		return maxRetryAfter
	}
	return min(time.Duration(n)*time.Second, maxRetryAfter)
}

// smallNumber reads up to eight digits.
func smallNumber(s string) (n int, ok bool) {
	if s == "" || len(s) > 8 {
		return 0, false
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = n*10 + int(r-'0')
	}
	return n, true
}

// splitQuoted splits at sep outside of quotes and angle brackets. It returns at
// least one part.
func splitQuoted(s string, sep byte) (parts []string) {
	quoted, bracket, from := false, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '<' || c == '>'):
			bracket = c == '<'
		case c == sep && !quoted && !bracket:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:])
}

// unquote takes the quotes of a quoted-string away; escapes stay as they are.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
