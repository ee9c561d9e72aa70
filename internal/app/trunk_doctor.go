package app

// trunk looks at what makes a trunk weak, or makes carriers refuse its calls.
func (d *doctor) trunk(r RouteFile) {
	name, t := or(r.Name, r.Carrier), r.Trunk
	if t.Transport != "tls" {
		d.say("route %s: signalling is not encrypted, and the keys that persons press can be read on the way: set trunk.transport to tls if the carrier offers it", name)
	}
	switch t.SRTP {
	case "", "off":
		d.say("route %s: sound is not encrypted, and codes can be heard on the way: set trunk.srtp to required if the carrier offers it", name)
	case "optional":
		d.say("route %s: sound is encrypted only if the carrier likes: set trunk.srtp to required", name)
	}
	if t.Transport != "tls" && (t.SRTP == "optional" || t.SRTP == "required") {
		d.say("route %s: the keys of trunk.srtp travel in clear: set trunk.transport to tls", name)
	}
	if len(t.MediaPeers) == 0 {
		d.say("route %s: sound may be sent wherever an answer says: list the carrier's networks in trunk.media_peers", name)
	}
	if len(t.CallerIDs) == 0 {
		d.say("route %s: it has no caller ID, and most carriers refuse such calls: set trunk.caller_ids", name)
	}
	for i, p := range t.Peers {
		if all, err := parsePrefixes("peers", []string{p}); err == nil && all[0].Bits() == 0 {
			d.say("route %s: trunk.peers[%d]: anybody may signal: list the carrier's networks", name, i)
		}
	}
	if t.RTP.Latch {
		d.say("route %s: trunk.rtp.latch takes sound and keys from other addresses than the carrier names: leave it out unless calls are silent without", name)
	}
}
