//go:build !linux || !(amd64 || arm64)

package media

// newFast has nothing faster to offer here.
func newFast(cfg Config) (driver, error) { return newPortable(cfg), nil }
