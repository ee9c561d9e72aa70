package sipcall_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/sipcall/siptest"
)

// torture are messages of RFC 4475 (its section in front), valid ones and broken
// ones, with "|" for the line ends, and some of our own after its manner.
var torture = map[string]string{
	"3.1.1.1 wsinv":       "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0|TO :| sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n|from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>|  ;|  tag = 98asjd8|MaX-fOrWaRdS: 0068|Call-ID: wsinv.ndaksdj@192.0.2.1|Content-Length   : 150|cseq: 0009|  INVITE|Via  : SIP  /   2.0| /UDP|    192.0.2.2;branch=390skdjuw|s :|NewFangledHeader:   newfangled value| continued newfangled value|UnknownHeaderWithUnusualValue: ;;,,;;,;|Content-Type: application/sdp|Route:| <sip:services.example.com;lr;unknownwith=value;unknown-no-value>|v:  SIP  / 2.0  / TCP     spindle.example.com   ;|  branch  =   z9hG4bK9ikj8  ,| SIP  /    2.0   / UDP  192.168.255.111   ; branch=| z9hG4bK30239|m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =|      newvalue ;|  secondparam ; q = 0.33||v=0|o=mhandley 29739 7272939 IN IP4 192.0.2.3|s=-|c=IN IP4 192.0.2.4|t=0 0|m=audio 49217 RTP/AVP 0 12|m=video 3227 RTP/AVP 31|a=rtpmap:31 LPC|",
	"3.1.1.2 intmeth":     "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0|Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~|To: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>|From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\xd1\x80\xd0\xb0\xd0\xb1\xd0\xbe\xd1\x82\xd0\xb0\xd1\x8e\xd1\x89\xd0\xb8\xd0\xb9\";tag=_token~1'+`*%!-.|Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{|CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~|Max-Forwards: 255|extensionHeader-!.%*+_`'~:\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb|Content-Length: 0||",
	"3.1.1.3 esc01":       "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0|To: sip:%75se%72@example.com|From: <sip:I%20have%20spaces@example.net>;tag=938|Max-Forwards: 87|i: esc01.239409asdfakjkn23onasd0-3234|CSeq: 234234 INVITE|Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw|C: application/sdp|Contact:|  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>|Content-Length: 0||",
	"3.1.1.4 escnull":     "REGISTER sip:example.com SIP/2.0|To: sip:null-%00-null@example.com|From: sip:null-%00-null@example.com;tag=839923423|Max-Forwards: 70|Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd|CSeq: 14398234 REGISTER|Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw|Contact: <sip:%00@host5.example.com>|Contact: <sip:%00%00@host5.example.com>|L:0||",
	"3.1.1.5 esc02":       "RE%47IST%45R sip:registrar.example.com SIP/2.0|To: \"%Z%45\" <sip:resource@example.com>|From: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23|Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf|Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234|CSeq: 29344 RE%47IST%45R|Max-Forwards: 70|Contact: <sip:alias1@host1.example.com>|C%6Fntact: <sip:alias2@host2.example.com>|Contact: <sip:alias3@host3.example.com>|l: 0||",
	"3.1.1.6 lwsdisp":     "OPTIONS sip:user@example.com SIP/2.0|To: sip:user@example.com|From: caller<sip:caller@example.com>;tag=323|Max-Forwards: 70|Call-ID: lwsdisp.1234abcd@funky.example.com|CSeq: 60 OPTIONS|Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw|l: 0||",
	"3.1.1.7 longreq":     "INVITE sip:user@example.com SIP/2.0|To: \"I have a user name of " + strings.Repeat("extreme ", 40) + "proportion\"<sip:user@example.com:6000;unknownparam1=" + strings.Repeat("very", 40) + "longvalue>|F: sip:" + strings.Repeat("amazinglylongcallername", 20) + "@example.net;tag=12" + strings.Repeat("982", 50) + "424|Call-ID: longreq.one" + strings.Repeat("really", 20) + "longcallid|CSeq: 3882340 INVITE|Max-Forwards: 70|Unknown-" + strings.Repeat("Long", 40) + "-Name: unknown-" + strings.Repeat("long", 40) + "-value|Via: SIP/2.0/TCP sip33.example.com|v: SIP/2.0/TCP sip32.example.com|V: SIP/2.0/TCP sip31.example.com|Via: SIP/2.0/TCP host1.example.com;received=192.0.2.5;branch=very" + strings.Repeat("long", 50) + "branchvalue|Contact: <sip:user@host.example.com>|Content-Length: 0||",
	"3.1.1.8 dblreq":      "REGISTER sip:example.com SIP/2.0|To: sip:j.user@example.com|From: sip:j.user@example.com;tag=43251j3j324|Max-Forwards: 8|I: dblreq.0ha0isndaksdj99sdfafnl3lk233412|Contact: sip:j.user@host.example.com|CSeq: 8 REGISTER|Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492|Content-Length: 0||INVITE sip:joe@example.com SIP/2.0|t: sip:joe@example.com|From: sip:caller@example.net;tag=141334|Max-Forwards: 8|Call-ID: dblreq.0ha0isnda977644900765@192.0.2.15|CSeq: 8 INVITE|Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234|Content-Length: 0||",
	"3.1.1.9 semiuri":     "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0|To: sip:j_user@example.com|From: sip:caller@example.org;tag=33242|Max-Forwards: 3|Call-ID: semiuri.0ha0isndaksdj|CSeq: 8 OPTIONS|Accept: application/sdp, application/pkcs7-mime,|        multipart/mixed, multipart/signed,|        message/sip, message/sipfrag|Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw|l: 0||",
	"3.1.1.10 transports": "OPTIONS sip:user@example.com SIP/2.0|To: sip:user@example.com|From: <sip:caller@example.com>;tag=323|Max-Forwards: 70|Call-ID:  transports.kijh4akdnaqjkwendsasfdj|Accept: application/sdp|CSeq: 60 OPTIONS|Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw|Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf|Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj|Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en|Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee|l: 0||",
	"3.1.1.12 unreason":   "SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe|Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923|Call-ID: unreason.1234ksdfak3j2erwedfsASdf|CSeq: 35 INVITE|From: sip:user@example.com;tag=11141343|To: sip:user@example.edu;tag=2229|Content-Length: 0||",
	"3.1.1.13 noreason":   "SIP/2.0 100 |Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe|Call-ID: noreason.asndj203insdf99223ndf|CSeq: 35 INVITE|From: <sip:user@example.com>;tag=39ansfi3|To: <sip:user@example.edu>;tag=902jndnke3|Content-Length: 0||",
	"3.1.2.1 badinv01":    "INVITE sip:user@example.com SIP/2.0|To: sip:j.user@example.com|From: sip:caller@example.net;tag=134161461246|Max-Forwards: 7|Call-ID: badinv01.0ha0isndaksdjasdf3234nas|CSeq: 8 INVITE|Via: SIP/2.0/UDP 192.0.2.15;;,;,,|Contact: \"Joe\" <sip:joe@example.org>;;;;|Content-Length: 0||",
	"3.1.2.2 clerr":       "INVITE sip:user@example.com SIP/2.0|Max-Forwards: 80|To: sip:j.user@example.com|From: sip:caller@example.net;tag=93942939o2|Contact: <sip:caller@hungry.example.net>|Call-ID: clerr.0ha0isndaksdjweiafasdk3|CSeq: 8 INVITE|Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523|Content-Type: application/sdp|Content-Length: 9999||v=0|",
	"3.1.2.3 ncl":         "INVITE sip:user@example.com SIP/2.0|Max-Forwards: 254|To: sip:j.user@example.com|From: sip:caller@example.net;tag=32394234|Call-ID: ncl.0ha0isndaksdj2193423r542w35|CSeq: 0 INVITE|Via: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw|Contact: <sip:caller@example53.example.net>|Content-Type: application/sdp|Content-Length: -999||v=0|",
	"3.1.2.4 scalar02":    "REGISTER sip:example.com SIP/2.0|Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3|To: <sip:user@example.com>|From: <sip:user@example.com>;tag=239232jh3|CSeq: 36893488147419103232 REGISTER|Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32|Max-Forwards: 300|Expires: 10000000000000000000000000000000000000000|Contact: <sip:user@host129.example.com>;expires=280297596632815|Content-Length: 0||",
	"3.1.2.5 scalarlg":    "SIP/2.0 503 Service Unavailable|Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129|To: <sip:user@example.com>|From: <sip:other@example.net>;tag=2easdjfejw|CSeq: 9292394834772304023312 OPTIONS|Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r|Retry-After: 949302838503028349304023988|Warning: 1812 overture \"In Progress\"|Content-Length: 0||",
	"3.1.2.6 quotbal":     "INVITE sip:user@example.com SIP/2.0|To: \"Mr. J. User <sip:j.user@example.com>|From: sip:caller@example.net;tag=93334|Max-Forwards: 10|Call-ID: quotbal.aksdj|Contact: <sip:caller@host59.example.net>|CSeq: 8 INVITE|Via: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234|Content-Length: 0||",
	"3.1.2.7 ltgtruri":    "INVITE <sip:user@example.com> SIP/2.0|To: sip:user@example.com|From: sip:caller@example.net;tag=39291|Max-Forwards: 23|Call-ID: ltgtruri.1@192.0.2.5|CSeq: 1 INVITE|Via: SIP/2.0/UDP 192.0.2.5|Contact: <sip:caller@host5.example.net>|Content-Length: 0||",
	"3.1.2.8 lwsruri":     "INVITE sip:user@example.com; lr SIP/2.0|To: sip:user@example.com;tag=3xfe-9921883-z9f|From: sip:caller@example.net;tag=231413434|Max-Forwards: 5|Call-ID: lwsruri.asdfasdoeoi2323-asdfwrn23-asd834rk423|CSeq: 2130706432 INVITE|Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkdjuw2395|Contact: <sip:caller@host1.example.net>|Content-Length: 0||",
	"3.1.2.9 lwsstart":    "INVITE  sip:user@example.com  SIP/2.0|Max-Forwards: 8|To: sip:user@example.com|From: sip:caller@example.net;tag=8814|Call-ID: lwsstart.dfknq234oi243099adsdfnawe3@example.com|CSeq: 1893884 INVITE|Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw3923|Contact: <sip:caller@host1.example.net>|Content-Length: 0||",
	"3.1.2.10 trws":       "OPTIONS sip:remote-target@example.com SIP/2.0  |Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK299342093|To: <sip:remote-target@example.com>|From: <sip:local-resource@example.com>;tag=329429089|Call-ID: trws.oicu34958239neffasdhr2345r|Accept: application/sdp|CSeq: 238923 OPTIONS|Max-Forwards: 70|Content-Length: 0||",
	"3.1.2.11 escruri":    "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0|To: sip:user@example.com|From: sip:caller@example.net;tag=341518|Max-Forwards: 7|Contact: <sip:caller@host39923.example.net>|Call-ID: escruri.23940-asdfhj-aje3br-234q098w-fawerh2q-h4n5|CSeq: 149209342 INVITE|Via: SIP/2.0/UDP host-of-the-hour.example.com;branch=z9hG4bKkdjuw|Content-Length: 0||",
	"3.1.2.12 baddate":    "INVITE sip:user@example.com SIP/2.0|To: sip:user@example.com|From: sip:caller@example.net;tag=2234923|Max-Forwards: 70|Call-ID: baddate.239423mnsadf3j23lj42--sedfnm234|CSeq: 1392934 INVITE|Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw|Date: Fri, 01 Jan 2010 16:00:00 EST|Contact: <sip:caller@host5.example.net>|Content-Length: 0||",
	"3.1.2.13 regbadct":   "REGISTER sip:example.com SIP/2.0|To: sip:user@example.com|From: sip:user@example.com;tag=998332|Max-Forwards: 70|Call-ID: regbadct.k345asrl3fdbv@10.0.0.1|CSeq: 1 REGISTER|Via: SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw|Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E|l: 0||",
	"3.1.2.15 badaspec":   "OPTIONS sip:user@example.org SIP/2.0|Via: SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234|Max-Forwards: 70|From: \"Bell, Alexander\" <sip:a.g.bell@example.com>;tag=433423|To: \"Watson, Thomas\" < sip:t.watson@example.org >|Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3|Accept: application/sdp|CSeq: 3923239 OPTIONS|l: 0||",
	"3.1.2.16 baddn":      "OPTIONS sip:t.watson@example.org SIP/2.0|Via:     SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw|Max-Forwards:      70|From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43|To:      Watson, Thomas <sip:t.watson@example.org>|Call-ID: baddn.31415@c.example.com|Accept: application/sdp|CSeq:    3923239 OPTIONS|l: 0||",
	"3.1.2.17 badvers":    "OPTIONS sip:t.watson@example.org SIP/7.0|Via:     SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw|Max-Forwards:     70|From:    A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe|To:      T. Watson <sip:t.watson@example.org>|Call-ID: badvers.31417@c.example.com|CSeq:    1 OPTIONS|l: 0||",
	"3.1.2.18 mismatch01": "OPTIONS sip:user@example.com SIP/2.0|To: sip:j.user@example.com|From: sip:caller@example.net;tag=34525|Max-Forwards: 6|Call-ID: mismatch01.dj0234sxdfl3|CSeq: 8 INVITE|Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw|l: 0||",
	"3.1.2.19 bigcode":    "SIP/2.0 4294967301 better not break the receiver|Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe|Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i|CSeq: 353494 INVITE|From: <sip:user@example.com>;tag=39ansfi3|To: <sip:user@example.edu>;tag=902jndnke3|Content-Length: 0|Contact: <sip:user@host105.example.com>||",
	"3.2.1 badbranch":     "OPTIONS sip:user@example.com SIP/2.0|To: sip:user@example.com|From: sip:caller@example.org;tag=33242|Max-Forwards: 3|Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK|Accept: application/sdp|Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n|CSeq: 8 OPTIONS|l: 0||",
	"3.3.1 insuf":         "INVITE sip:user@example.com SIP/2.0|CSeq: 193942 INVITE|Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf|Content-Type: application/sdp|l: 5||v=0||",
	"3.3.2 unkscm":        "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0|To: sip:user@example.com|From: sip:caller@example.net;tag=384|Max-Forwards: 3|Call-ID: unkscm.nasdfasser0q239nwsdfasdkl34|CSeq: 3923423 OPTIONS|Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234|Content-Length: 0||",
	"3.3.5 bext01":        "OPTIONS sip:user@example.com SIP/2.0|To: sip:j_user@example.com|From: sip:caller@example.net;tag=242etr|Max-Forwards: 6|Call-ID: bext01.0ha0isndaksdj|Require: nothingSupportsThis, nothingSupportsThisEither|Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis|CSeq: 8 OPTIONS|Via: SIP/2.0/TLS fold-and-staple.example.com;branch=z9hG4bKkdjuw|Content-Length: 0||",
	"3.3.8 multi01":       "INVITE sip:user@company.com SIP/2.0|Contact: <sip:caller@host25.example.net>|Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw|Max-Forwards: 70|CSeq: 5 INVITE|Call-ID: multi01.98asdh@192.0.2.1|CSeq: 59 INVITE|Call-ID: multi01.98asdh@192.0.2.2|From: sip:caller@example.com;tag=3413415|To: sip:user@example.com|To: sip:other@example.net|From: sip:caller@example.net;tag=2923420123|Content-Type: application/sdp|l: 0||",
	"3.3.12 bcast":        "SIP/2.0 200 OK|Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923|Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23|Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf|CSeq: 35 INVITE|From: sip:user@example.com;tag=11141343|To: sip:user@example.edu;tag=2229|Content-Length: 0||",
	"3.3.15 sdp01":        "INVITE sip:user@example.com SIP/2.0|To: sip:j_user@example.com|Contact: <sip:caller@host15.example.net>|From: sip:caller@example.net;tag=234|Max-Forwards: 5|Call-ID: sdp01.ndaksdj9342dasdd|Accept: text/nobodyKnowsThis|CSeq: 8 INVITE|Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw|Content-Length: 0|Content-Type: application/sdp||",
	"own: no header":      "OPTIONS sip:a@b SIP/2.0||",
	"own: ACK to nobody":  "ACK sip:a@b SIP/2.0|Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKq|Content-Length: 0||",
	"own: CANCEL bare":    "CANCEL sip:a@b SIP/2.0|Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKq|CSeq: 1 CANCEL|Content-Length: 0||",
	"own: colons":         "::::|::::|:|||",
	"own: only a line":    "SIP/2.0 200|",
	"own: no user":        "INVITE sip:@ SIP/2.0|Via: SIP/2.0/UDP ;branch=|From: <>;tag=|To: <|Call-ID: x|CSeq: 1 INVITE||",
}

func TestTorture(t *testing.T) {
	t.Parallel()
	options := "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/%T %A;branch=z9hG4bKalive%N;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: alive%N\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	u := siptest.UDP(t)
	cfg := sipcall.Config{Incoming: func(ctx context.Context, in *sipcall.Incoming) { _ = in.Reject(603) }}
	tr := start(t, cfg, u)
	to := net.UDPAddrFromAddrPort(tr.Addr())
	n := 0
	for name, text := range torture {
		raw := strings.ReplaceAll(text, "|", "\r\n")
		u.SendTo(to, raw)
		for cut := 1; cut < len(raw); cut += 1 + len(raw)/25 { // each message cut short, too
			u.SendTo(to, raw[:cut])
		}
		n++
		u.SendTo(to, strings.NewReplacer("%T", "UDP", "%A", u.Addr(), "%N", itoa(n)).Replace(options))
		for {
			m := u.Next("SIP/2.0 ")
			if m.Header("Call-ID") == "alive"+itoa(n) {
				break
			}
			if strings.HasPrefix(m.Start, "SIP/2.0 2") && strings.HasSuffix(m.Header("CSeq"), " INVITE") {
				t.Errorf("%s: %s", name, m.Start)
			}
		}
	}
	// Over TCP a message without an end closes its connection, and only that.
	s := siptest.TCP(t, nil)
	cfg.Transport = sipcall.TCP
	tr = start(t, cfg, s)
	for name, text := range torture {
		conn, err := net.Dial("tcp4", tr.Addr().String())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, _ = conn.Write([]byte(strings.ReplaceAll(text, "|", "\r\n")))
		_ = conn.Close()
	}
	call, _ := connected(t, tr, s, siptest.Answer{})
	hangup(t, call, s)
}
