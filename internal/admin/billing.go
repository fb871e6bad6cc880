package admin

import (
	"context"
	"net/http"
)

// billingRoutes are the reference's calls about its own bill. There is none here: the balance is zero, and all
// else is not found, or forbidden where the reference forbids it to tokens.
func billingRoutes() []route {
	const billing = scope + "/billing"
	none := func(method, path, id string, status int) route {
		rt := get(RoleViewer, billing+path, id, "Answers that there is no billing here", handle(
			func(*server, context.Context, *AccountPath) (*output[Envelope[CreditBalance]], error) {
				return nil, noBilling(status)
			},
		))
		rt.Method = method
		if method != http.MethodGet {
			rt.Role, rt.Audited = RoleAdmin, true
		}
		return rt
	}
	return []route{
		get(RoleViewer, billing+"/credit-balance", "get-credit-balance", "Get the balance of credits, which is zero", handle((*server).creditBalance)),
		none(http.MethodGet, "/invoice-history", "list-invoices", http.StatusNotFound),
		none(http.MethodGet, "/invoice-preview", "get-invoice-preview", http.StatusNotFound),
		none(http.MethodGet, "/usage-history", "get-usage-history", http.StatusNotFound),
		none(http.MethodPost, "/topup", "create-topup", http.StatusNotFound),
		none(http.MethodPost, "/topup/status", "get-topup-status", http.StatusNotFound),
		none(http.MethodGet, "/topup/config", "get-topup-config", http.StatusNotFound),
		none(http.MethodPost, "/topup/config", "set-topup-config", http.StatusForbidden),
		none(http.MethodDelete, "/topup/config", "delete-topup-config", http.StatusForbidden),
		none(http.MethodGet, "/spending-limit", "get-spending-limit", http.StatusNotFound),
		none(http.MethodPost, "/spending-limit", "set-spending-limit", http.StatusForbidden),
		none(http.MethodDelete, "/spending-limit", "delete-spending-limit", http.StatusForbidden),
	}
}

func noBilling(status int) error {
	f := Fault{Code: codeNotFound, Message: "there is no billing here", Hint: "providers bill their own keys; spend_limits of a gateway bound what is spent"}
	if status == http.StatusForbidden {
		f.Code = codeAuthentication
	}
	return newFailure(status, f)
}

// CreditBalance is what is left of credits.
type CreditBalance struct {
	Balance                 int64       `json:"balance"`
	HasDefaultPaymentMethod bool        `json:"has_default_payment_method"`
	PaymentMethod           *struct{}   `json:"payment_method" doc:"null"`
	TopupConfig             TopupConfig `json:"topup_config"`
}

// TopupConfig says when credits are bought: never.
type TopupConfig struct {
	Amount    *int64 `json:"amount" doc:"null"`
	Threshold *int64 `json:"threshold" doc:"null"`
}

func (s *server) creditBalance(_ context.Context, in *AccountPath) (*output[Envelope[CreditBalance]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	return answer(CreditBalance{}), nil
}
