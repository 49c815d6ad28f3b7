package graph

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"sello/db"
	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/webhook"
)

// onWebhook runs a change of the webhook that a caller names.
func onWebhook[T any](id string, change func(uuid.UUID) (T, error)) (T, error) {
	if key, ok := loyalty.ParseUUID("Webhook", id); ok {
		return change(key)
	}
	var none T
	return none, loyalty.Refuse(loyalty.CodeNotFound, "id")
}

func webhookPayload(ctx context.Context, w *webhook.Webhook, err error) (*model.WebhookPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.WebhookPayload{Webhook: w, UserErrors: refused}, nil
}

func webhookSecretPayload(ctx context.Context, w *webhook.Webhook, secret string, err error) (*model.WebhookSecretPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	payload := &model.WebhookSecretPayload{Webhook: w, UserErrors: refused}
	if w != nil {
		payload.Secret = &secret
	}
	return payload, nil
}

func webhookDeliveryPayload(ctx context.Context, d *webhook.Delivery, err error) (*model.WebhookDeliveryPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.WebhookDeliveryPayload{Delivery: d, UserErrors: refused}, nil
}

func kindsOf(kinds []string) *[]string {
	if kinds == nil {
		return nil
	}
	return &kinds
}

// replayRange converts a range; its cursors are those of the subscriptions.
func replayRange(input model.WebhookReplayInput) (webhook.Range, error) {
	r := webhook.Range{Since: input.Since, Kinds: input.Kinds}
	var err error
	if input.After != nil {
		if r.After, err = afterEvent(input.After); err != nil {
			return r, loyalty.Refuse(loyalty.CodeInvalid, "after")
		}
		if r.After == nil {
			r.After = &db.Place{} // an empty text: the beginning
		}
	}
	if r.UpTo, err = afterEvent(input.UpTo); err != nil {
		return r, loyalty.Refuse(loyalty.CodeInvalid, "upTo")
	}
	return r, nil
}

func (r *Resolver) replayWebhook(ctx context.Context, who auth.Principal, input model.WebhookReplayInput) (*webhook.Webhook, error) {
	id, ok := loyalty.ParseUUID("Webhook", input.WebhookID)
	if !ok {
		return nil, loyalty.Refuse(loyalty.CodeNotFound, "webhookId")
	}
	events, err := replayRange(input)
	if err != nil {
		return nil, err
	}
	return r.Webhooks.Replay(ctx, who, id, events)
}

func (r *Resolver) retryDelivery(ctx context.Context, who auth.Principal, id string) (*webhook.Delivery, error) {
	kind, key, _ := loyalty.ParseGlobalID(id)
	hook, seq, ok := webhook.ParseDeliveryKey(key)
	if kind != "WebhookDelivery" || !ok {
		return nil, loyalty.Refuse(loyalty.CodeNotFound, "id")
	}
	return r.Webhooks.Retry(ctx, who, hook, seq)
}

func (r *Resolver) listWebhooks(ctx context.Context, company uuid.UUID, first *int, after *string) (*model.WebhookConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterID("webhooks", after)
	if err != nil {
		return nil, err
	}
	page, more, err := r.Webhooks.List(ctx, company, from, n)
	if err != nil {
		return nil, err
	}
	conn := &model.WebhookConnection{Edges: make([]*model.WebhookEdge, len(page))}
	last := ""
	for i, w := range page {
		last = cursor("webhooks", w.ID.String())
		conn.Edges[i] = &model.WebhookEdge{Cursor: last, Node: w}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

func (r *Resolver) listDeliveries(ctx context.Context, company uuid.UUID, w *webhook.Webhook, f webhook.Filter, first *int, after *string) (*model.WebhookDeliveryConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	if f.Before, err = afterNumber("webhookDeliveries", after); err != nil {
		return nil, err
	}
	page, err := r.Webhooks.Deliveries(ctx, company, w, f, n)
	if err != nil {
		return nil, err
	}
	conn := &model.WebhookDeliveryConnection{Edges: make([]*model.WebhookDeliveryEdge, len(page.Deliveries))}
	last := ""
	for i, d := range page.Deliveries {
		last = cursor("webhookDeliveries", strconv.FormatInt(d.Seq, 10))
		conn.Edges[i] = &model.WebhookDeliveryEdge{Cursor: last, Node: d}
	}
	conn.PageInfo = pageInfo(page.More, last)
	return conn, nil
}

func (r *Resolver) deliveryNode(ctx context.Context, key string) (model.Node, error) {
	hook, seq, ok := webhook.ParseDeliveryKey(key)
	if !ok {
		return nil, nil
	}
	return found(ctx, auth.WebhooksRead, func(who auth.Principal) (*webhook.Delivery, error) {
		return r.Webhooks.DeliveryByKey(ctx, who.CompanyID, hook, seq)
	})
}
