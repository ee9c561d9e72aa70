// Package phone holds telephone numbers and the channels that reach them.
//
// It knows E.164, the numbering plans of the world (libphonenumber's tables) and how to mask a number. It must not know whether
// a number may be called, what a call costs, or whose number it is: it only says what policy needs to decide.
package phone
