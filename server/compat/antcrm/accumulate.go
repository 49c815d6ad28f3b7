package antcrm

import (
	"net/http"

	"sello/graph/model"
)

// accumulate answers POST /accumulate (spec/antcrm.md 4).
func (h *handler) accumulate(w http.ResponseWriter, c call) error {
	code, data, err := read(w, c.Request, accumulateCodeRequired)
	if err != nil {
		return err
	}
	in := model.ContactAccrueInput{Code: code, Name: new(data.text("name")), Phones: points(data["phones"]), Emails: points(data["emails"])}
	invalid := map[string]string{"phones": "data.phones", "emails": "data.emails"}
	// The single-value form of /redeem is accepted too.
	for _, single := range []struct {
		name, list string
		into       *[]*model.ContactPointInput
	}{{"phone", "phones", &in.Phones}, {"email", "emails", &in.Emails}} {
		v := value(data[single.name])
		if v == "" {
			continue
		}
		if !given(*single.into) {
			invalid[single.list] = "data." + single.name
		}
		*single.into = append(*single.into, &model.ContactPointInput{Value: v})
	}
	if !given(in.Phones, in.Emails) {
		return contactRequired
	}
	if key := header(c.Request); key != "" {
		in.IdempotencyKey, in.IdempotencyHours = &key, new(repeatableHours)
	}
	payload, err := h.Graph.Mutation().ContactAccrue(c.Context(), in)
	if err != nil {
		return err
	}
	if err := accumulateAnswers.of(payload.UserErrors, invalid); err != nil {
		return err
	}
	done(w, payload.Replayed)
	return nil
}
