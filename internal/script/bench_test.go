package script_test

import (
	"testing"

	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
)

// BenchmarkCompose is what a delivery needs of this package.
func BenchmarkCompose(b *testing.B) {
	code, err := secret.ParseCode("493027")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := script.Compose(script.Message{Lang: "en", Code: code, Gate: script.GateAnyKey, Menu: true}); err != nil {
			b.Fatal(err)
		}
	}
}
