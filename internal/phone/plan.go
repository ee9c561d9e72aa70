package phone

import (
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// maxCalling is the most digits of a calling code (ITU-T E.164, 6.2.1).
const maxCalling = 3

// plan is the tables of one calling code, compiled. phonenumbers judges numbers in
// any writing, which costs several times what is left for E.164: a calling code,
// and what its countries say of the digits behind it. TestJudgedAlike holds the
// two together.
type plan struct {
	calling int
	regions []region // in the order in which they are asked; the first is the main one
	// prefix matches what stands before a national number and is no part of it,
	// such as the trunk 0; nil: nothing does.
	prefix *regexp.Regexp
}

// region is one country's share of a plan.
type region struct {
	code    string         // ISO 3166-1 alpha-2; "001" for a plan of no country
	leading *regexp.Regexp // how its numbers begin; nil: that does not tell
	general digitsOf
	special []kindOf // in the order in which they are asked
	fixed   digitsOf
	mobile  digitsOf
	// alike says that fixed and mobile numbers are not told apart.
	alike bool
}

// kindOf is the numbers of one kind.
type kindOf struct {
	kind phonenumbers.PhoneNumberType
	digitsOf
}

// digitsOf says which national numbers belong to something. The zero value: none.
type digitsOf struct {
	lengths []int32 // none: any
	pattern *regexp.Regexp
}

func (d digitsOf) has(national string) bool {
	return d.pattern != nil && (len(d.lengths) == 0 || slices.Contains(d.lengths, int32(len(national)))) && d.pattern.MatchString(national)
}

// planOf gives the plan of each calling code there is; it is compiled when it is
// asked for first, as most are never used.
var planOf = sync.OnceValue(func() map[int]func() *plan {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		panic("phone: the compiled-in tables cannot be read: " + err.Error())
	}
	out := make(map[int]func() *plan)
	for calling := range phonenumbers.GetSupportedCallingCodes() {
		out[calling] = sync.OnceValue(func() *plan { return compile(all.GetMetadata(), calling) })
	}
	return out
})

// planFor finds the plan of a number, and where the digits behind the calling code
// begin; nil: there is no such calling code.
func planFor(digits string) (*plan, string) {
	if digits[0] == '0' {
		return nil, ""
	}
	for n := 1; n <= maxCalling; n++ {
		calling, _ := strconv.Atoi(digits[:n]) // they are digits
		if p, ok := planOf()[calling]; ok {
			return p(), digits[n:]
		}
	}
	return nil, ""
}

// compile makes a plan of those of all countries.
func compile(all []*phonenumbers.PhoneMetadata, calling int) *plan {
	p := &plan{calling: calling}
	for i, code := range phonenumbers.GetRegionCodesForCountryCode(calling) {
		for _, m := range all {
			if m.GetId() != code || code == World && int(m.GetCountryCode()) != calling {
				continue
			}
			p.regions = append(p.regions, compileRegion(m))
			if prefix := m.GetNationalPrefixForParsing(); i == 0 && prefix != "" {
				p.prefix = regexp.MustCompile("^(?:" + prefix + ")")
			}
		}
	}
	return p
}

func compileRegion(m *phonenumbers.PhoneMetadata) region {
	r := region{
		code: m.GetId(), general: compileDigits(m.GetGeneralDesc()), fixed: compileDigits(m.GetFixedLine()),
		mobile: compileDigits(m.GetMobile()), alike: m.GetSameMobileAndFixedLinePattern(),
	}
	if l := m.GetLeadingDigits(); l != "" {
		r.leading = regexp.MustCompile("^(?:" + l + ")")
	}
	for _, s := range []struct {
		kind phonenumbers.PhoneNumberType
		desc *phonenumbers.PhoneNumberDesc
	}{
		{phonenumbers.PREMIUM_RATE, m.GetPremiumRate()}, {phonenumbers.TOLL_FREE, m.GetTollFree()},
		{phonenumbers.SHARED_COST, m.GetSharedCost()}, {phonenumbers.VOIP, m.GetVoip()},
		{phonenumbers.PERSONAL_NUMBER, m.GetPersonalNumber()}, {phonenumbers.PAGER, m.GetPager()},
		{phonenumbers.UAN, m.GetUan()}, {phonenumbers.VOICEMAIL, m.GetVoicemail()},
	} {
		if d := compileDigits(s.desc); d.pattern != nil {
			r.special = append(r.special, kindOf{s.kind, d})
		}
	}
	return r
}

func compileDigits(d *phonenumbers.PhoneNumberDesc) digitsOf {
	if d.GetNationalNumberPattern() == "" {
		return digitsOf{}
	}
	return digitsOf{lengths: d.GetPossibleLength(), pattern: regexp.MustCompile("^(?:" + d.GetNationalNumberPattern() + ")$")}
}

// judge says whose number it is and of which kind; UNKNOWN: it is nobody's.
func (p *plan) judge(national string) (code string, kind phonenumbers.PhoneNumberType) {
	for i := range p.regions {
		r := &p.regions[i]
		switch {
		case len(p.regions) == 1:
		case r.leading != nil:
			if !r.leading.MatchString(national) {
				continue
			}
		default:
			if kind := r.judge(national); kind != phonenumbers.UNKNOWN {
				return r.code, kind
			}
			continue
		}
		return r.code, r.judge(national)
	}
	return "", phonenumbers.UNKNOWN
}

// judge says of which kind a number is.
func (r *region) judge(national string) phonenumbers.PhoneNumberType {
	if !r.general.has(national) {
		return phonenumbers.UNKNOWN
	}
	for i := range r.special {
		if r.special[i].has(national) {
			return r.special[i].kind
		}
	}
	fixed := r.fixed.has(national)
	switch {
	case fixed && (r.alike || r.mobile.has(national)):
		return phonenumbers.FIXED_LINE_OR_MOBILE
	case fixed:
		return phonenumbers.FIXED_LINE
	case !r.alike && r.mobile.has(national):
		return phonenumbers.MOBILE
	}
	return phonenumbers.UNKNOWN
}
