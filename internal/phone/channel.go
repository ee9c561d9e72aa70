package phone

import "errors"

// Channel is a way to bring a code to a number. Its values are those of the APIs and the database.
type Channel string

// The channels.
const (
	Voice Channel = "voice" // a call that speaks the code; the only way to reach a landline
	SMS   Channel = "sms"   // a text message
)

// ErrChannel is what ParseChannel answers to any other word. It never holds what was given.
var ErrChannel = errors.New("unknown channel: use voice or sms")

// ParseChannel reads a channel by its exact name; anything else is ErrChannel.
func ParseChannel(s string) (Channel, error) {
	switch c := Channel(s); c {
	case Voice, SMS:
		return c, nil
	}
	return "", ErrChannel
}
