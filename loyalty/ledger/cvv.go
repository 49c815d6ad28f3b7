package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// A CVV has three digits, so what keeps it is that nobody gets to guess: the fifth
// wrong one in a row closes the card to all CVVs for cvvPause, the right one too,
// and each wrong one after that for twice as long, up to maxCVVPause. The right one,
// or a new one (CardCVVReset), begins anew. Wrong ones are counted under the card's
// lock and outlive the refusal, so sending many at once gains nothing.
const (
	cvvTries    = 5
	cvvPause    = 15 * time.Minute
	maxCVVPause = 24 * time.Hour
)

// newCVV makes three digits.
func newCVV() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1000))
	if err != nil {
		return "", fmt.Errorf("make a CVV: %w", err)
	}
	return fmt.Sprintf("%03d", n.Int64()), nil
}

// cvvHash is what is kept of a card's CVV: of three digits only a keyed digest is
// worth anything.
func (s *Service) cvvHash(card uuid.UUID, cvv string) []byte {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write(card[:])
	mac.Write([]byte(cvv))
	return mac.Sum(nil)
}

// wrongCVV is a refusal that is counted, whatever becomes of the transaction
// otherwise.
type wrongCVV struct {
	refusal *loyalty.Error
	count   db.CardCvvNoteParams
}

func (e *wrongCVV) Error() string { return e.refusal.Error() }

// Unwrap makes it the refusal that callers know.
func (e *wrongCVV) Unwrap() error { return e.refusal }

// counted writes down a wrong CVV and answers its refusal, for which the transaction
// commits; any other error stays a fault to it.
func counted(ctx context.Context, q *db.Queries, err error) (refusal, fault error) {
	wrong, ok := errors.AsType[*wrongCVV](err)
	if !ok {
		return nil, err
	}
	if err := q.CardCvvNote(ctx, wrong.count); err != nil {
		return nil, fmt.Errorf("count a wrong CVV: %w", err)
	}
	return wrong.refusal, nil
}

// checkCVV holds a CVV against the card's where the card type asks for it. It
// refuses with CVV_WRONG and CVV_LOCKED.
func (s *Service) checkCVV(ctx context.Context, a *Account, cvv string) error {
	if !a.Type.CvvRequired {
		return nil
	}
	if until := a.Card.CvvLockedUntil; until != nil && until.After(a.book.now) {
		minutes := (until.Sub(a.book.now) + time.Minute - 1) / time.Minute
		return loyalty.Refuse(loyalty.CodeCVVLocked, "cvv").With("minutes", strconv.Itoa(int(minutes)))
	}
	refusal := loyalty.Refuse(loyalty.CodeCVVWrong, "cvv")
	if a.Card.CvvHash == nil || cvv == "" { // there is nothing to guess, or nobody did
		return refusal
	}
	count := db.CardCvvNoteParams{CompanyID: a.Card.CompanyID, ID: a.Card.ID}
	if hmac.Equal(a.Card.CvvHash, s.cvvHash(a.Card.ID, cvv)) {
		if a.Card.CvvFailures == 0 {
			return nil
		}
		a.Card.CvvFailures, a.Card.CvvLockedUntil = 0, nil
		if err := a.book.q.CardCvvNote(ctx, count); err != nil {
			return fmt.Errorf("forget wrong CVVs: %w", err)
		}
		return nil
	}
	a.Card.CvvFailures = min(a.Card.CvvFailures, 100) + 1
	if beyond := int(a.Card.CvvFailures) - cvvTries; beyond >= 0 {
		a.Card.CvvLockedUntil = new(a.book.now.Add(min(cvvPause<<min(beyond, 10), maxCVVPause)))
	}
	count.CvvFailures, count.CvvLockedUntil = a.Card.CvvFailures, a.Card.CvvLockedUntil
	return &wrongCVV{refusal: refusal, count: count}
}

// firstCVV gives an activated card a CVV where its type asks for one and it has
// none.
func (s *Service) firstCVV(ctx context.Context, a *Account) (string, error) {
	if !a.Type.CvvRequired || a.Card.CvvHash != nil {
		return "", nil
	}
	return s.setCVV(ctx, a)
}

func (s *Service) setCVV(ctx context.Context, a *Account) (string, error) {
	cvv, err := newCVV()
	if err != nil {
		return "", err
	}
	a.Card.CvvHash, a.Card.CvvFailures, a.Card.CvvLockedUntil = s.cvvHash(a.Card.ID, cvv), 0, nil
	err = a.book.q.CardCvvSet(ctx, db.CardCvvSetParams{CompanyID: a.Card.CompanyID, ID: a.Card.ID, CvvHash: a.Card.CvvHash, Now: a.book.now})
	if err != nil {
		return "", fmt.Errorf("set a card's CVV: %w", err)
	}
	return cvv, nil
}

// CardCVVReset gives a card a new CVV, which is told this once; the old one is worth
// nothing from then on. It refuses with CARD_NOT_FOUND and STATE_CONFLICT (a card
// that is not in use, or of a type without CVVs).
func (s *Service) CardCVVReset(ctx context.Context, who auth.Principal, in CardChange) (Changed, error) {
	return s.changing(ctx, who, in, nil, "card_cvv_reset", func(_ db.Tx, a *Account, c change) (Changed, error) {
		if err := a.become(resettingCVV, c.reason); err != nil {
			return Changed{}, err
		}
		if !a.Type.CvvRequired {
			return Changed{}, loyalty.Refuse(loyalty.CodeStateConflict, "code").With("status", a.Card.Status)
		}
		cvv, err := s.setCVV(ctx, a)
		return Changed{CVV: cvv}, err
	})
}
