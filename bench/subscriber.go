package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"

	"github.com/coder/websocket"
)

// Line is a movement as a subscription told it.
type Line struct {
	Card   string
	Seq    int
	Amount string
}

// Subscriber follows all movements of the company over graphql-transport-ws. It
// drops its connection without a word every so often, and resumes behind the last
// cursor it has.
type Subscriber struct {
	// Lines are the movements in the order in which they came.
	Lines []Line
	// Drops is how often it dropped its connection.
	Drops int

	cursor *string
	inst   *Installation
	rng    *rand.Rand
}

// NewSubscriber follows nothing yet.
func NewSubscriber(i *Installation, seed uint64) *Subscriber {
	return &Subscriber{inst: i, rng: rand.New(rand.NewPCG(seed, 5))}
}

const subscriptionDocument = `subscription($after: String) {
  movementPosted(after: $after) { cursor movement { seq amount card { code } } }
}`

// Follow reads until it has seen so many movements in all, dropping the
// connection after a random number of them, at most dropAfter. From the
// first one on it has a cursor, and nothing may be missed however long it stays
// away.
func (s *Subscriber) Follow(ctx context.Context, total, dropAfter int) error {
	for len(s.Lines) < total {
		before := len(s.Lines)
		take := min(total-before, 1+s.rng.IntN(dropAfter))
		if err := s.connect(ctx, take); err != nil {
			return fmt.Errorf("follow movements, after %d of %d: %w", len(s.Lines), total, err)
		}
		if len(s.Lines) < total {
			s.Drops++
		}
	}
	return nil
}

// CheckLines wants the movements behind these numbers, by card code, to have been
// told in the order of each card, every one once, and none of before.
func (b *Bank) CheckLines(lines []Line, after map[string]int) error {
	told := maps.Clone(after)
	var wrong []string
	for n, l := range lines {
		if want := told[l.Card] + 1; l.Seq != want {
			wrong = append(wrong, fmt.Sprintf("line %d told movement %d of card %s, want %d", n+1, l.Seq, l.Card, want))
		}
		told[l.Card] = l.Seq
	}
	for n, c := range b.cards {
		if told[c.code] != b.seq[n] {
			wrong = append(wrong, fmt.Sprintf("the last movement told of card %s is %d, want %d", c.code, told[c.code], b.seq[n]))
		}
	}
	return several("movements told", wrong)
}

// Seqs is the number of each card's last movement, by card code.
func (b *Bank) Seqs() map[string]int {
	all := make(map[string]int, len(b.cards))
	for n, c := range b.cards {
		all[c.code] = b.seq[n]
	}
	return all
}

// FollowFirst has a subscriber begin: it posts on a card until the subscriber has
// been told one of these movements, and returns the numbers behind which it has
// been told everything so far. From here on it may miss nothing. It has to be the
// only subscriber: the first begins behind all that is committed when it comes,
// while one that joins others may be told what came a moment before.
func (b *Bank) FollowFirst(ctx context.Context, s *Subscriber, card int) (after map[string]int, err error) {
	begun, stop := context.WithCancel(ctx)
	posted := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-begun.Done():
				posted <- nil
				return
			default:
			}
			got, err := b.GraphQL().post(ctx, operation{card: card, points: 1, key: fmt.Sprintf("begin-%d-%d", card, n)})
			if err != nil || got.Code != "" {
				posted <- errors.Join(err, fmt.Errorf("post: %s", got.Code))
				return
			}
			b.balance[card]++
			b.seq[card]++
		}
	}()
	err = s.Follow(ctx, 1, 1)
	stop()
	if err = errors.Join(err, <-posted); err != nil {
		return nil, err
	}
	after = b.Seqs()
	after[s.Lines[0].Card] = s.Lines[0].Seq - 1
	return after, nil
}

// Untold is how many movements there are after these numbers.
func (b *Bank) Untold(after map[string]int) int {
	n := 0
	for code, seq := range b.Seqs() {
		n += seq - after[code]
	}
	return n
}

// message is one of graphql-transport-ws.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// connect takes so many movements over a connection of its own and drops it:
// messages that are on their way then are lost.
func (s *Subscriber) connect(ctx context.Context, take int) error {
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.inst.Client.base, "http")+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"},
	})
	if err != nil {
		return err
	}
	defer conn.CloseNow() //nolint:errcheck // that it is rude is the point
	conn.SetReadLimit(1 << 20)
	if err := s.subscribe(ctx, conn); err != nil {
		return err
	}
	for taken := 0; taken < take; {
		m, err := receive(ctx, conn)
		if err != nil {
			return err
		}
		switch m.Type {
		case "ping":
			if err := send(ctx, conn, message{Type: "pong"}); err != nil {
				return err
			}
		case "next":
			if err := s.take(m.Payload); err != nil {
				return err
			}
			taken++
		default:
			return fmt.Errorf("got a message %s %s", m.Type, m.Payload)
		}
	}
	return nil
}

func (s *Subscriber) subscribe(ctx context.Context, conn *websocket.Conn) error {
	sign, err := json.Marshal(map[string]string{"authorization": "Bearer " + s.inst.ServerKey})
	if err != nil {
		return err
	}
	if err := send(ctx, conn, message{Type: "connection_init", Payload: sign}); err != nil {
		return err
	}
	if m, err := receive(ctx, conn); err != nil || m.Type != "connection_ack" {
		return errors.Join(err, fmt.Errorf("signed in: got a message %s %s", m.Type, m.Payload))
	}
	ask, err := json.Marshal(map[string]any{"query": subscriptionDocument, "variables": map[string]any{"after": s.cursor}})
	if err != nil {
		return err
	}
	return send(ctx, conn, message{ID: "1", Type: "subscribe", Payload: ask})
}

func (s *Subscriber) take(payload json.RawMessage) error {
	var next struct {
		Data struct {
			MovementPosted *struct {
				Cursor   string
				Movement struct {
					Seq    int
					Amount string
					Card   struct{ Code string }
				}
			}
		}
	}
	if err := json.Unmarshal(payload, &next); err != nil {
		return err
	}
	got := next.Data.MovementPosted
	if got == nil {
		return fmt.Errorf("got no movement: %s", payload)
	}
	s.cursor = &got.Cursor
	s.Lines = append(s.Lines, Line{Card: got.Movement.Card.Code, Seq: got.Movement.Seq, Amount: got.Movement.Amount})
	return nil
}

func send(ctx context.Context, conn *websocket.Conn, m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

func receive(ctx context.Context, conn *websocket.Conn) (m message, err error) {
	_, text, err := conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}
