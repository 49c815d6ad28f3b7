package wallet

import "net/http"

// wallet is a monedero in a list.
type wallet struct {
	Name      string `json:"wallet_name"`
	Key       string `json:"wallet_key"`
	AppClient string `json:"wallet_app_client"`
	AppRedeem string `json:"wallet_app_redeem"`
}

// walletGet answers POST /wallet/get (spec/wallet.md 3.4): the active wallets in
// creation order.
func (h *handler) walletGet(w http.ResponseWriter, r *http.Request, _ form) error {
	ctx := r.Context()
	return stream(w, `"status":200,"code":"wallets_get_01"`, func(after *string) (page, error) {
		list, err := h.graph.Query().CardTypes(ctx, new(pageSize), after, new(true), new(false))
		if err != nil {
			return page{}, err
		}
		p := page{rows: make([]any, 0, len(list.Edges))}
		if list.PageInfo.HasNextPage {
			p.next = list.PageInfo.EndCursor
		}
		for _, edge := range list.Edges {
			t := edge.Node
			p.rows = append(p.rows, wallet{Name: t.Name, Key: text(t.WalletKey), AppClient: t.CustomerUrl, AppRedeem: t.RedeemUrl})
		}
		return p, nil
	})
}
