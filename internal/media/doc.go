// Package media is the sound of our own calls on the wire: RTP streams paced for
// thousands of calls, what the other end sends back, keys, RTCP and SRTP.
//
// It knows sockets, packets, frames and time. It must not know SIP, what is
// said, or why.
package media
