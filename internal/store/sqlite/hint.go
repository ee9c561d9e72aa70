package sqlite

import "context"

// Hint leaves word for the node that holds the job of a subject. No error.
func (s *Store) Hint(_ context.Context, subject string) error {
	b := s.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.subject[subject] {
		if j.node != "" {
			b.news[j.id] = j
		}
	}
	return nil
}

// Hinted takes the word that was left for a node. No error.
func (s *Store) Hinted(_ context.Context, node string) (subjects []string, err error) {
	b := s.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, j := range b.news {
		if j.node == node {
			subjects = append(subjects, j.subject)
			delete(b.news, id)
		}
	}
	return subjects, nil
}
