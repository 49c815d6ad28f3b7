package webhook

import (
	"fmt"
	"net/url"

	"sello/db"
)

// DisabledMail is the kind of the mail that tells that a webhook was disabled.
const DisabledMail = "webhook_disabled"

// words are a mail's in one language: %[1]s is the receiver's host, %[2]s why.
type words struct{ subject, body, failing, gone string }

var disabledWords = map[string]words{
	"en": {
		"A webhook was disabled: %[1]s",
		"The webhook to %[1]s was disabled: %[2]s.\n\nWhat happens meanwhile waits for up to seven days. Mend the receiver and resume the webhook; " +
			"its delivery log tells what it answered. Deliveries that were given up can be sent again.\n",
		"nothing has arrived for three days", "the receiver answered that it is gone (410)",
	},
	"es": {
		"Se desactivó un webhook: %[1]s",
		"El webhook hacia %[1]s se desactivó: %[2]s.\n\nLo que ocurra mientras tanto espera hasta siete días. Corrija el receptor y reanude el webhook; " +
			"el registro de entregas muestra lo que respondió. Las entregas abandonadas pueden enviarse de nuevo.\n",
		"nada ha llegado en tres días", "el receptor respondió que ya no existe (410)",
	},
	"pt": {
		"Um webhook foi desativado: %[1]s",
		"O webhook para %[1]s foi desativado: %[2]s.\n\nO que acontecer enquanto isso espera até sete dias. Corrija o receptor e retome o webhook; " +
			"o registro de entregas mostra o que ele respondeu. As entregas abandonadas podem ser enviadas de novo.\n",
		"nada chegou em três dias", "o receptor respondeu que não existe mais (410)",
	},
	"vi": {
		"Một webhook đã bị tắt: %[1]s",
		"Webhook tới %[1]s đã bị tắt: %[2]s.\n\nCác sự kiện trong thời gian này được giữ tối đa bảy ngày. Hãy sửa phía nhận rồi bật lại webhook; " +
			"nhật ký gửi cho biết phía nhận đã trả lời gì. Những lần gửi đã bị bỏ có thể được gửi lại.\n",
		"không có gì đến nơi trong ba ngày", "phía nhận trả lời rằng địa chỉ không còn nữa (410)",
	},
}

// disabledMail tells one operator. It names the receiver's host only: paths of
// webhooks hold secrets.
func disabledMail(language string, w db.Webhook, why Reason, to string) Mail {
	text, known := disabledWords[language]
	if !known {
		text = disabledWords["en"]
	}
	host := ""
	if u, err := url.Parse(w.Url); err == nil {
		host = u.Host
	}
	cause := text.failing
	if why == Gone {
		cause = text.gone
	}
	return Mail{
		Kind: DisabledMail, SubjectID: w.ID, Recipient: to,
		Subject: fmt.Sprintf(text.subject, host), Body: fmt.Sprintf(text.body, host, cause),
	}
}
