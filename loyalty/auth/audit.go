package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
)

// What the audit entries of this package are about.
const (
	targetOperator = "operator"
	targetSession  = "operator_session"
	targetKey      = "api_key"
)

// Audit notes what a principal did in the transaction that does it (design.md
// 11). detail holds names of fields, codes and states, never personal data.
func Audit(ctx context.Context, q *db.Queries, who Principal, at time.Time, action, target string, id uuid.UUID, detail map[string]any) error {
	if detail == nil {
		detail = map[string]any{}
	}
	encoded, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("encode an audit entry: %w", err)
	}
	entry := db.AuditEntryCreateParams{
		CompanyID: who.CompanyID, ID: newID(), ActorKind: string(who.Kind), Action: action,
		TargetType: target, TargetID: &id, Detail: encoded, At: at,
	}
	if who.Subject != uuid.Nil {
		entry.ActorID = &who.Subject
	}
	if err := q.AuditEntryCreate(ctx, entry); err != nil {
		return fmt.Errorf("write an audit entry: %w", err)
	}
	return nil
}
