package sqlite

import (
	"encoding/binary"
	"hash/maphash"
)

// blockSize is a piece of a shelf. An entry fits into one.
const blockSize = 1 << 20

// shelf holds entries as bytes, which are nothing to the garbage collector: it is
// what makes room for so many. It has so many blocks of bytes, and the oldest of
// them is written over. Not safe for concurrent use.
type shelf struct {
	seed   maphash.Seed
	at     map[uint64]place // by hash of the key
	blocks [][]byte
	limit  int // blocks
	turn   int // of the block that is being filled: how many were begun before
}

// place is where an entry begins.
type place struct{ turn, at uint32 }

func newShelf(bytes int) *shelf {
	return &shelf{seed: maphash.MakeSeed(), at: make(map[uint64]place), limit: max(bytes/blockSize, 1)}
}

// forget empties it.
func (s *shelf) forget() { *s = shelf{seed: s.seed, at: make(map[uint64]place), limit: s.limit} }

// put keeps an entry, in place of an older one of its key.
func (s *shelf) put(key string, body []byte) {
	need := len(key) + len(body) + 2*binary.MaxVarintLen32
	s.remove(key)
	if need > blockSize {
		return
	}
	if len(s.blocks) == 0 {
		s.blocks = append(s.blocks, make([]byte, 0, blockSize))
	} else if i := s.turn % s.limit; len(s.blocks[i])+need > blockSize {
		s.begin()
	}
	i := s.turn % s.limit
	b := s.blocks[i]
	s.at[maphash.String(s.seed, key)] = place{uint32(s.turn), uint32(len(b))}
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	s.blocks[i] = append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

// begin begins a block, the oldest one where there are enough.
func (s *shelf) begin() {
	s.turn++
	i := s.turn % s.limit
	if i == len(s.blocks) {
		s.blocks = append(s.blocks, make([]byte, 0, blockSize))
		return
	}
	b, old := s.blocks[i], uint32(s.turn-s.limit)
	for at := 0; at < len(b); {
		key, _, n := entry(b[at:])
		hash := maphash.Bytes(s.seed, key)
		if s.at[hash] == (place{old, uint32(at)}) {
			delete(s.at, hash)
		}
		at += n
	}
	s.blocks[i] = b[:0]
}

// entry reads one, and says how long it is.
func entry(b []byte) (key, body []byte, n int) {
	length, n := binary.Uvarint(b)
	key, n = b[n:n+int(length)], n+int(length)
	length, m := binary.Uvarint(b[n:])
	n += m
	return key, b[n : n+int(length)], n + int(length)
}

// get gives an entry, until the next put or remove; nil: it is not there.
func (s *shelf) get(key string) []byte { return s.body(key, maphash.String(s.seed, key)) }

func (s *shelf) body(key string, hash uint64) []byte {
	p, ok := s.at[hash]
	if !ok {
		return nil
	}
	found, body, _ := entry(s.blocks[int(p.turn)%s.limit][p.at:])
	if string(found) != key {
		return nil
	}
	return body
}

// remove forgets one; its bytes may be a secret and do not stay.
func (s *shelf) remove(key string) {
	hash := maphash.String(s.seed, key)
	clear(s.body(key, hash))
	delete(s.at, hash)
}
