package wallet

import (
	"net/http"

	"sello/loyalty/company"
)

// pageSize is how many objects are read at once, the most that lists give.
const pageSize = 100

// tooluser is a collaborator in a list.
type tooluser struct {
	ID     int64  `json:"usertool_id"`
	Name   string `json:"usertool_name"`
	Number string `json:"usertool_number"`
	Branch string `json:"usertool_branch"`
	Type   string `json:"usertool_type"`
	Status int    `json:"usertool_status"`
}

// toolusersGet answers POST /toolusers/get (spec/wallet.md 3.3): all
// collaborators, archived ones included. Its body has no status and no message.
func (h *handler) toolusersGet(w http.ResponseWriter, r *http.Request, _ form) error {
	ctx := r.Context()
	return stream(w, `"code":"tool_users_01"`, func(after *string) (page, error) {
		list, err := h.graph.Query().StaffMembers(ctx, new(pageSize), after)
		if err != nil {
			return page{}, err
		}
		p := page{rows: make([]any, 0, len(list.Edges))}
		if list.PageInfo.HasNextPage {
			p.next = list.PageInfo.EndCursor
		}
		for _, edge := range list.Edges {
			store, err := h.graph.Staff().Store(ctx, edge.Node)
			if err != nil {
				return page{}, err
			}
			row := tooluser{ID: edge.Node.Number, Name: edge.Node.Name, Number: edge.Node.Phone, Type: "cajero", Status: 1}
			if store != nil {
				row.Branch = store.Name
			}
			if edge.Node.Duty() == company.Manager {
				row.Type = "gerente"
			}
			if edge.Node.ArchivedAt != nil {
				row.Status = 0
			}
			p.rows = append(p.rows, row)
		}
		return p, nil
	})
}
