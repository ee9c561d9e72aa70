package phone_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pincall/pincall/internal/phone"
)

// seen is all that a number tells, with "line" as the letters L (landline) and P (premium).
type seen struct {
	Country string
	Calling int
	Prefix  string
	Line    string
	Masked  string
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]seen{
		"+818012345209":    {"JP", 81, "818012", "", "+81 80-****-5209"},
		"+81312345678":     {"JP", 81, "813123", "L", "+81 3-****-5678"},
		"+81120123456":     {"JP", 81, "811201", "", "+81 ***-**3-456"},
		"+14155550100":     {"US", 1, "141555", "", "+1 415-***-0100"},
		"+14155550109":     {"US", 1, "141555", "", "+1 415-***-0109"},
		"+18765230123":     {"JM", 1, "187652", "", "+1 876-***-0123"},
		"+19002345678":     {"US", 1, "190023", "P", "+1 900-***-5678"},
		"+442079460018":    {"GB", 44, "442079", "L", "+44 20 **** 0018"},
		"+447400123456":    {"GB", 44, "447400", "", "+44 **** **3456"},
		"+447012345678":    {"GB", 44, "447012", "P", "+44 70 **** 5678"},
		"+449098790123":    {"GB", 44, "449098", "P", "+44 909 *** 0123"},
		"+4930123456":      {"DE", 49, "493012", "L", "+49 30 ****56"},
		"+4915123456789":   {"DE", 49, "491512", "", "+49 1512 ***6789"},
		"+390612345678":    {"IT", 39, "390612", "L", "+39 06 **** 5678"},
		"+33612345678":     {"FR", 33, "336123", "", "+33 6 ** ** 56 78"},
		"+34612345678":     {"ES", 34, "346123", "", "+34 *** ** 56 78"},
		"+6835123":         {"NU", 683, "683512", "", "+683 ***3"},
		"+870773111632":    {phone.World, 870, "870773", "", "+870 *** **1 632"},
		"+881612345678":    {phone.World, 881, "881612", "", "+881 6 *** *5678"},
		"+883510000000000": {phone.World, 883, "883510", "", ""},
		"+979123456789":    {phone.World, 979, "979123", "P", "+979 1 **** 6789"},
		"+80812345678":     {phone.World, 808, "808123", "P", "+808 **** **78"},
		"+80012345678":     {phone.World, 800, "800123", "", "+800 **** **78"},
	}
	for number, want := range tests {
		t.Run(number[:4]+number[len(number)-2:], func(t *testing.T) {
			t.Parallel()
			n, err := phone.Parse(number)
			if err != nil {
				t.Fatal(err)
			}
			got := seen{n.Country(), n.CallingCode(), n.Prefix(), "", n.String()}
			if n.Landline() {
				got.Line += "L"
			}
			if n.Premium() {
				got.Line += "P"
			}
			if want.Masked == "" { // only the rule of checkMask
				want.Masked = got.Masked
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n.E164() != number || n.IsZero() {
				t.Error("the number came back different")
			}
			checkMask(t, n)
		})
	}
}

// checkMask holds for every number: at most four digits at the end, at least three hidden or most of a short number.
func checkMask(t *testing.T, n phone.Number) {
	t.Helper()
	national, ok := strings.CutPrefix(n.String(), fmt.Sprintf("+%d ", n.CallingCode()))
	if !ok {
		t.Fatalf("the mask %s lacks the country code", n)
	}
	hidden := strings.Count(national, "*")
	tail := national[strings.LastIndex(national, "*")+1:]
	if shown := digits(tail); hidden < 3 || shown > 4 {
		t.Errorf("the mask %s hides %d digits and ends in %d", n, hidden, shown)
	}
	if digits(national)+hidden != len(n.E164())-len(fmt.Sprintf("+%d", n.CallingCode())) {
		t.Errorf("the mask %s has another number of digits", n)
	}
}

func digits(s string) (n int) {
	for _, c := range s {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const trunk, digitsOnly, plus = "without the trunk 0", "write only digits", "a + and the country code first"
	tests := map[string]struct{ number, reason string }{
		"mobile with trunk 0":   {"+8108012345678", trunk},
		"landline with trunk 0": {"+810312345678", trunk},
		"British (0)":           {"+4402079460018", trunk},
		"German trunk 0":        {"+49030123456", trunk},
		"Italian without its 0": {"+39612345678", "no such number"},
		"Mexican 1 of old":      {"+5215512345678", "no such number"},
		"national":              {"08012345678", plus},
		"no plus":               {"818012345678", plus},
		"empty":                 {"", plus},
		"full-width plus":       {"\uff0b818012345678", plus},
		"spaces":                {"+81 80 1234 5678", digitsOnly},
		"trailing newline":      {"+818012345678\n", digitsOnly},
		"leading space":         {" +818012345678", plus},
		"dashes":                {"+81-80-1234-5678", digitsOnly},
		"full-width digits":     {"+81801234567\uff18", digitsOnly},
		"letters":               {"+1415FLOWERS", digitsOnly},
		"extension":             {"+14155550100;ext=1", digitsOnly},
		"two pluses":            {"++14155550100", digitsOnly},
		"plus alone":            {"+", "7 to 15 digits"},
		"emergency":             {"+81110", "7 to 15 digits"},
		"too long":              {"+8180123456781234", "7 to 15 digits"},
		"no such country":       {"+99912345678", "calling code"},
		"zero":                  {"+0123456789", "calling code"},
		"digit missing":         {"+81801234567", "no such number"},
		"digit too many":        {"+8180123456789", "no such number"},
		"area code 1":           {"+11155550100", "no such number"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := phone.Parse(tt.number)
			if !errors.Is(err, phone.ErrInvalid) || !n.IsZero() {
				t.Fatalf("error %v, want ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), tt.reason) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tt.reason)
			}
			if len(tt.number) > 4 && strings.Contains(err.Error(), tt.number[2:]) {
				t.Error("the error tells the number")
			}
		})
	}
}

func TestNumberCompares(t *testing.T) {
	t.Parallel()
	a, errA := phone.Parse("+818012345209")
	b, errB := phone.Parse(strings.Clone("+818012345209"))
	c, errC := phone.Parse("+818012345208")
	if err := errors.Join(errA, errB, errC); err != nil {
		t.Fatal(err)
	}
	if a != b || a == c || a == (phone.Number{}) {
		t.Error("== is not equality of the numbers")
	}
}

func TestZeroNumber(t *testing.T) {
	t.Parallel()
	var n phone.Number
	if !n.IsZero() || n.Landline() || n.Premium() {
		t.Error("the zero value is a number")
	}
	got := seen{n.Country() + n.E164(), n.CallingCode(), n.Prefix(), "", n.String()}
	if diff := cmp.Diff(seen{Masked: "[no number]"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"+818012345209", "+8108012345678", "+14155550100", "+883510000000000", "+390612345678", "+6835123", "+", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := phone.Parse(s)
		if err != nil {
			if !n.IsZero() || !errors.Is(err, phone.ErrInvalid) {
				t.Fatal("a refusal must be ErrInvalid alone")
			}
			return
		}
		again, err := phone.Parse(n.E164())
		if err != nil || again != n || n.E164() != s || n.Country() == "" || len(n.Prefix()) != 6 || n.CallingCode() == 0 {
			t.Fatal("what parsed does not parse again to the same number")
		}
		checkMask(t, n)
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = phone.Parse("+818012345209")
	}
}
