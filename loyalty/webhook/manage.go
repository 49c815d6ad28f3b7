package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// target is what the audit entries of this package are about.
const target = "webhook"

// maxDescription is the most characters of a description.
const maxDescription = 500

// How long two secrets sign: the default and the longest.
const (
	DefaultOverlapHours = 24
	MaxOverlapHours     = 7 * 24
)

// Input is a new webhook, or what changes in one: nil leaves a field as it is.
type Input struct {
	URL         *string
	Description *string
	// Kinds are the kinds of events that are sent; none are all.
	Kinds *[]string
}

// fields are an Input's, checked, over what was there before.
func (s *Service) fields(in Input, url, description string, kinds []string) (string, string, []string, error) {
	var err error
	if in.URL != nil {
		if url, err = checkURL(strings.TrimSpace(*in.URL), s.private); err != nil {
			return "", "", nil, err
		}
	}
	if in.Description != nil {
		description = strings.TrimSpace(*in.Description)
		switch {
		case utf8.RuneCountInString(description) > maxDescription:
			return "", "", nil, loyalty.Refuse(loyalty.CodeTooLong, "description")
		case !utf8.ValidString(description) || strings.ContainsRune(description, 0):
			return "", "", nil, loyalty.Refuse(loyalty.CodeInvalid, "description")
		}
	}
	if in.Kinds != nil {
		if kinds, err = checkKinds(*in.Kinds); err != nil {
			return "", "", nil, err
		}
	}
	return url, description, kinds, nil
}

// checkKinds refuses kinds that no event has: a slip of the pen would wait for
// ever. It refuses with INVALID.
func checkKinds(kinds []string) ([]string, error) {
	known := Kinds()
	for _, k := range kinds {
		if !slices.Contains(known, k) {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, "kinds").With("known", strings.Join(known, ", "))
		}
	}
	kinds = slices.Clone(kinds)
	slices.Sort(kinds)
	return append([]string{}, slices.Compact(kinds)...), nil
}

// Create makes a webhook and answers its signing secret, which nothing shows
// again. It is sent what is recorded from now on. It refuses with REQUIRED, TOO_LONG,
// INVALID, WEBHOOK_URL_REFUSED and WEBHOOK_LIMIT_REACHED.
func (s *Service) Create(ctx context.Context, who auth.Principal, in Input) (*Webhook, string, error) {
	if in.URL == nil {
		return nil, "", loyalty.Refuse(loyalty.CodeRequired, "url")
	}
	url, description, kinds, err := s.fields(in, "", "", []string{})
	if err != nil {
		return nil, "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, "", fmt.Errorf("make an id: %w", err)
	}
	secret, now := newSecret(), s.now()
	var row db.Webhook
	err = s.db.InTx(ctx, func(tx db.Tx) error {
		if _, err := tx.WebhookCompanyLock(ctx, who.CompanyID); err != nil {
			return fmt.Errorf("hold a company: %w", err)
		}
		var err error
		row, err = tx.WebhookCreate(ctx, db.WebhookCreateParams{
			CompanyID: who.CompanyID, ID: id, Url: url, Description: description, Kinds: kinds,
			Secret: s.vault.seal(who.CompanyID, id, secret), WrittenBy: now.Add(-writtenWithin),
			ActorKind: string(who.Kind), ActorID: subject(who), Now: now, Most: MaxWebhooks,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeWebhookLimitReached, "").With("limit", strconv.Itoa(MaxWebhooks))
		}
		if err != nil {
			return fmt.Errorf("make a webhook: %w", err)
		}
		return auth.Audit(ctx, tx.Queries, who, now, "webhook_create", target, id, map[string]any{"kinds": kinds})
	})
	if err != nil {
		return nil, "", err
	}
	return &Webhook{Webhook: row}, showSecret(secret), nil
}

func subject(who auth.Principal) *uuid.UUID {
	if who.Subject == uuid.Nil {
		return nil
	}
	return &who.Subject
}

// change runs fn on a webhook that it holds. It refuses with NOT_FOUND.
func (s *Service) change(ctx context.Context, who auth.Principal, id uuid.UUID, action string, detail map[string]any, fn func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error)) (*Webhook, error) {
	var row db.Webhook
	err := s.db.InTx(ctx, func(tx db.Tx) error {
		now := s.now()
		held, err := tx.WebhookLock(ctx, who.CompanyID, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeNotFound, "id")
		}
		if err != nil {
			return fmt.Errorf("hold a webhook: %w", err)
		}
		if row, err = fn(tx, held, now); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, now, action, target, id, detail)
	})
	if err != nil {
		return nil, err
	}
	return &Webhook{Webhook: row}, nil
}

// Update changes what a webhook is. Deliveries that wait go to the new address;
// kinds count for events that have not become deliveries yet. It refuses with
// NOT_FOUND and as Create does.
func (s *Service) Update(ctx context.Context, who auth.Principal, id uuid.UUID, in Input) (*Webhook, error) {
	var changed []string
	for name, given := range map[string]bool{"url": in.URL != nil, "description": in.Description != nil, "kinds": in.Kinds != nil} {
		if given {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return s.change(ctx, who, id, "webhook_update", map[string]any{"fields": changed}, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		url, description, kinds, err := s.fields(in, w.Url, w.Description, w.Kinds)
		if err != nil {
			return w, err
		}
		w, err = tx.WebhookChange(ctx, db.WebhookChangeParams{
			CompanyID: who.CompanyID, ID: id, Url: url, Description: description, Kinds: kinds, Now: now,
		})
		return w, during("change a webhook", err)
	})
}

// Pause stops a webhook: what happens meanwhile waits, as long as events are kept.
// A second time changes nothing. It refuses with NOT_FOUND, and with STATE_CONFLICT
// for one that is disabled.
func (s *Service) Pause(ctx context.Context, who auth.Principal, id uuid.UUID) (*Webhook, error) {
	return s.change(ctx, who, id, "webhook_pause", nil, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		switch Status(w.Status) {
		case Paused:
			return w, nil
		case Enabled:
			w, err := tx.WebhookStatusSet(ctx, db.WebhookStatusSetParams{CompanyID: who.CompanyID, ID: id, Status: string(Paused), Now: now})
			return w, during("pause a webhook", err)
		default:
			return w, loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
	})
}

// Resume lets a paused or disabled webhook go on where it stopped: what waits has
// its full time again. If events behind that place are gone it refuses with
// EVENTS_GONE, unless skip says that it may go on with what happens from now on. A
// second time changes nothing. It refuses with NOT_FOUND.
func (s *Service) Resume(ctx context.Context, who auth.Principal, id uuid.UUID, skip bool) (*Webhook, error) {
	return s.change(ctx, who, id, "webhook_resume", map[string]any{"skip": skip}, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		if Status(w.Status) == Enabled {
			return w, nil
		}
		kept, err := tx.EventsKept(ctx, who.CompanyID)
		if err != nil {
			return w, fmt.Errorf("find the oldest event: %w", err)
		}
		if gone(w.CursorID, kept.OldestID) {
			if !skip {
				return w, loyalty.Refuse(loyalty.CodeEventsGone, "skip").With("oldest", loyalty.EventCursor(kept.OldestID))
			}
			w, err = tx.WebhookCursorSkip(ctx, db.WebhookCursorSkipParams{
				CompanyID: who.CompanyID, ID: id, OldestID: kept.OldestID, WrittenBy: now.Add(-writtenWithin), Now: now,
			})
			if err != nil {
				return w, fmt.Errorf("move a webhook's cursor: %w", err)
			}
		}
		if err := tx.WebhookRefresh(ctx, db.WebhookRefreshParams{CompanyID: who.CompanyID, ID: id, Now: now}); err != nil {
			return w, fmt.Errorf("begin a webhook's deliveries anew: %w", err)
		}
		w, err = tx.WebhookStatusSet(ctx, db.WebhookStatusSetParams{CompanyID: who.CompanyID, ID: id, Status: string(Enabled), Now: now})
		if err != nil {
			return w, fmt.Errorf("resume a webhook: %w", err)
		}
		return w, s.enqueue(ctx, tx, w)
	})
}

// gone reports whether events behind a place may have been pruned: pruning goes
// from the oldest on and leaves each company the newest event that was old enough.
// Zero is the place of a company that had no event.
func gone(after, oldest int64) bool { return after > 0 && after < oldest }

// Delete ends a webhook for good, with what waits and with its log. It refuses with
// NOT_FOUND.
func (s *Service) Delete(ctx context.Context, who auth.Principal, id uuid.UUID) error {
	_, err := s.change(ctx, who, id, "webhook_delete", nil, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		return w, during("delete a webhook", tx.WebhookDelete(ctx, db.WebhookDeleteParams{CompanyID: who.CompanyID, ID: id, Now: now}))
	})
	return err
}

// RotateSecret gives a webhook a new signing secret and answers it, which nothing
// does again. For the overlap both secrets sign, so that the receiver can change
// over without losing a delivery. It refuses with NOT_FOUND, and with INVALID for an
// overlap below zero or above MaxOverlapHours.
func (s *Service) RotateSecret(ctx context.Context, who auth.Principal, id uuid.UUID, hours int) (*Webhook, string, error) {
	if hours < 0 || hours > MaxOverlapHours {
		return nil, "", loyalty.Refuse(loyalty.CodeInvalid, "overlapHours")
	}
	secret := newSecret()
	detail := map[string]any{"overlap_hours": hours}
	w, err := s.change(ctx, who, id, "webhook_secret_rotate", detail, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		in := db.WebhookSecretSetParams{CompanyID: who.CompanyID, ID: id, Secret: s.vault.seal(who.CompanyID, id, secret), Now: now}
		if hours > 0 {
			in.PreviousSecret, in.PreviousUntil = w.Secret, new(now.Add(time.Duration(hours)*time.Hour))
		}
		w, err := tx.WebhookSecretSet(ctx, in)
		return w, during("change a webhook's secret", err)
	})
	if err != nil {
		return nil, "", err
	}
	return w, showSecret(secret), nil
}

// secrets are those that sign now, the newest first.
func (s *Service) secrets(w db.Webhook, now time.Time) ([][]byte, error) {
	current, err := s.vault.open(w.CompanyID, w.ID, w.Secret)
	if err != nil {
		return nil, err
	}
	all := [][]byte{current}
	if w.PreviousUntil != nil && now.Before(*w.PreviousUntil) {
		previous, err := s.vault.open(w.CompanyID, w.ID, w.PreviousSecret)
		if err != nil {
			return nil, err
		}
		all = append(all, previous)
	}
	return all, nil
}

// enqueue lets a webhook be served at once.
func (s *Service) enqueue(ctx context.Context, tx db.Tx, w db.Webhook) error {
	_, err := s.Jobs.InsertTx(ctx, tx.Conn, Send{CompanyID: w.CompanyID, WebhookID: w.ID}, nil)
	return during("enqueue a webhook's job", err)
}

func during(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
