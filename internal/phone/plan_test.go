package phone

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
)

// verdict is all that Parse finds out.
type verdict struct {
	Country string
	Calling int
	Kind    phonenumbers.PhoneNumberType
	Refusal string
}

func ours(s string) verdict {
	n, err := Parse(s)
	if err != nil {
		return verdict{Refusal: err.Error()}
	}
	return verdict{Country: n.country, Calling: n.calling, Kind: n.kind}
}

// theirs is what phonenumbers says of the same number, read as any text is.
func theirs(s string) verdict {
	refuse := func(what string) verdict { return verdict{Refusal: invalid(what).Error()} }
	if err := shape(s); err != nil {
		return verdict{Refusal: err.Error()}
	}
	p, err := phonenumbers.Parse(s, "")
	if errors.Is(err, phonenumbers.ErrInvalidCountryCode) {
		return refuse("no country has this calling code: check the digits after the +")
	}
	if err != nil {
		return refuse("no numbering plan has such a number: check its digits")
	}
	if phonenumbers.Format(p, phonenumbers.E164) != s {
		return refuse("write it as E.164 without the trunk 0 or any other prefix that is dialled only inside the country")
	}
	if !phonenumbers.IsValidNumber(p) {
		return refuse("its country has no such number: check its length and area code")
	}
	calling := int(p.GetCountryCode())
	return verdict{Country: country(calling, phonenumbers.GetRegionCodeForNumber(p)), Calling: calling, Kind: phonenumbers.GetNumberType(p)}
}

// Numbers of every country and kind, and what becomes of them by a slip, are
// judged as phonenumbers judges them.
func TestJudgedAlike(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	each := 400
	if testing.Short() {
		each = 60
	}
	valid := 0
	try := func(s string) {
		want, got := theirs(s), ours(s)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-phonenumbers +ours):\n%s", s, diff)
		}
		if want.Refusal == "" {
			valid++
		}
	}
	for _, s := range examples() {
		try(s)
		for range 10 {
			try(slip(random, s))
		}
	}
	for calling := range 1000 {
		n := 3
		if phonenumbers.GetSupportedCallingCodes()[calling] {
			n = each
		}
		for range n {
			s := "+" + strconv.Itoa(calling)
			for range 3 + random.IntN(11) {
				s += strconv.Itoa(random.IntN(10))
			}
			try(s)
		}
	}
	if valid < 2000 {
		t.Errorf("only %d numbers were valid", valid)
	}
}

// examples are the tables' own, of every country, plan and kind.
func examples() (out []string) {
	add := func(n *phonenumbers.PhoneNumber) {
		if n != nil {
			out = append(out, phonenumbers.Format(n, phonenumbers.E164))
		}
	}
	for iso := range phonenumbers.GetSupportedRegions() {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			add(phonenumbers.GetExampleNumberForType(iso, kind))
		}
	}
	for calling := range phonenumbers.GetSupportedCallingCodes() {
		add(phonenumbers.GetExampleNumberForNonGeoEntity(calling))
	}
	return out
}

// slip changes a number as a person might: a digit wrong, missing or too many, or
// a prefix of the country kept.
func slip(random *rand.Rand, s string) string {
	at := 1 + random.IntN(len(s)-1)
	d := strconv.Itoa(random.IntN(10))
	switch random.IntN(4) {
	case 0:
		return s[:at] + s[at+1:]
	case 1:
		return s[:at] + d + s[at:]
	case 2:
		cut := min(2+random.IntN(3), len(s))
		return s[:cut] + []string{"0", "1", "8", "06", "00", "9"}[random.IntN(6)] + s[cut:]
	}
	return s[:at] + d + s[at+1:]
}

func FuzzJudgedAlike(f *testing.F) {
	for _, s := range []string{"+818012345209", "+8108012345678", "+14155550100", "+78001234567", "+390612345678", "+5215512345678"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if diff := cmp.Diff(theirs(s), ours(s)); diff != "" {
			t.Errorf("(-phonenumbers +ours):\n%s", diff)
		}
	})
}
