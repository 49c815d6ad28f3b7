package graph

import (
	"strings"

	"sello/loyalty"
)

// words are one code's message in the languages of our callers.
type words struct{ en, es, pt, vi string }

// message tells a refusal in a language; unknown languages get English. {name}
// is replaced by the fact of that name.
func message(language string, code loyalty.Code, params map[string]string) string {
	w, ok := messages[code]
	if !ok {
		return string(code)
	}
	text := w.en
	switch language {
	case "es":
		text = w.es
	case "pt":
		text = w.pt
	case "vi":
		text = w.vi
	}
	for name, value := range params {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

var messages = map[loyalty.Code]words{
	loyalty.CodeInvalid:       {"The value is not valid.", "El valor no es válido.", "O valor não é válido.", "Giá trị không hợp lệ."},
	loyalty.CodeRequired:      {"The value is required.", "El valor es obligatorio.", "O valor é obrigatório.", "Giá trị là bắt buộc."},
	loyalty.CodeTooLong:       {"The text is too long.", "El texto es demasiado largo.", "O texto é longo demais.", "Văn bản quá dài."},
	loyalty.CodeTaken:         {"The value is already in use.", "El valor ya está en uso.", "O valor já está em uso.", "Giá trị đã được sử dụng."},
	loyalty.CodeNotFound:      {"There is no such object.", "El objeto no existe.", "O objeto não existe.", "Đối tượng không tồn tại."},
	loyalty.CodeStateConflict: {"The object's state does not allow this.", "El estado del objeto no lo permite.", "O estado do objeto não permite isso.", "Trạng thái của đối tượng không cho phép."},

	loyalty.CodeAmountNotPositive:  {"The amount must be above zero.", "El importe debe ser mayor que cero.", "O valor deve ser maior que zero.", "Số lượng phải lớn hơn không."},
	loyalty.CodeAmountTooPrecise:   {"The amount has too many decimals.", "El importe tiene demasiados decimales.", "O valor tem casas decimais demais.", "Số lượng có quá nhiều chữ số thập phân."},
	loyalty.CodeAmountTooLarge:     {"The amount is too large.", "El importe es demasiado grande.", "O valor é grande demais.", "Số lượng quá lớn."},
	loyalty.CodeAccrualRuleMissing: {"The card type has no rule for computing points from an amount.", "El tipo de tarjeta no tiene regla para calcular puntos de un importe.", "O tipo de cartão não tem regra para calcular pontos a partir de um valor.", "Loại thẻ không có quy tắc tính điểm từ số tiền."},

	loyalty.CodeCardNotFound:        {"The card does not exist.", "La tarjeta no existe.", "O cartão não existe.", "Thẻ không tồn tại."},
	loyalty.CodeCardNotEnabled:      {"The card is not enabled.", "La tarjeta no está habilitada.", "O cartão não está habilitado.", "Thẻ chưa được kích hoạt."},
	loyalty.CodeCardTypeNotFound:    {"The card type does not exist.", "El tipo de tarjeta no existe.", "O tipo de cartão não existe.", "Loại thẻ không tồn tại."},
	loyalty.CodeCardTypeArchived:    {"The card type is archived.", "El tipo de tarjeta está archivado.", "O tipo de cartão está arquivado.", "Loại thẻ đã được lưu trữ."},
	loyalty.CodeCardNotRechargeable: {"The card cannot be recharged.", "La tarjeta no es recargable.", "O cartão não é recarregável.", "Thẻ không thể nạp thêm."},
	loyalty.CodeInsufficientBalance: {"Not enough is available on the card: {available}.", "La tarjeta no tiene saldo suficiente: {available}.", "O cartão não tem saldo suficiente: {available}.", "Thẻ không đủ số dư: {available}."},
	loyalty.CodeTicketRequired:      {"The ticket of the sale is required.", "El ticket de la venta es obligatorio.", "O ticket da venda é obrigatório.", "Bắt buộc có mã hóa đơn."},
	loyalty.CodeStoreNotFound:       {"The store does not exist.", "El local no existe.", "A loja não existe.", "Cửa hàng không tồn tại."},
	loyalty.CodeStaffNotFound:       {"The staff member does not exist.", "El colaborador no existe.", "O colaborador não existe.", "Nhân viên không tồn tại."},
	loyalty.CodeStaffArchived:       {"The staff member is archived.", "El colaborador está archivado.", "O colaborador está arquivado.", "Nhân viên đã được lưu trữ."},
	loyalty.CodeStaffNoPermission:   {"The staff member has no permission on this card type.", "El colaborador no tiene permisos sobre este tipo de tarjeta.", "O colaborador não tem permissão neste tipo de cartão.", "Nhân viên không có quyền với loại thẻ này."},
	loyalty.CodeStaffRightMissing:   {"The staff member lacks the right for this.", "El colaborador no tiene el derecho necesario.", "O colaborador não tem o direito necessário.", "Nhân viên thiếu quyền cần thiết."},

	loyalty.CodeCustomerNotFound:  {"The customer does not exist.", "El cliente no existe.", "O cliente não existe.", "Khách hàng không tồn tại."},
	loyalty.CodeContactExists:     {"The phone is already registered in the wallet.", "El teléfono ya se encuentra registrado en el monedero.", "O telefone já está registrado na carteira.", "Số điện thoại đã được đăng ký trong ví."},
	loyalty.CodeContactRace:       {"The phone was registered at the same moment by another request.", "Otra petición registró el teléfono en el mismo momento.", "Outra requisição registrou o telefone no mesmo momento.", "Một yêu cầu khác vừa đăng ký số điện thoại này."},
	loyalty.CodeBirthdateRequired: {"The birthdate is required.", "La fecha de nacimiento es obligatoria.", "A data de nascimento é obrigatória.", "Bắt buộc có ngày sinh."},
	loyalty.CodePasswordTaken:     {"Choose another password.", "Elija otra contraseña.", "Escolha outra senha.", "Hãy chọn mật khẩu khác."},

	loyalty.CodeIdempotencyKeyRequired: {"An idempotency key is required.", "Se requiere una llave de idempotencia.", "É necessária uma chave de idempotência.", "Cần có khóa idempotency."},
	loyalty.CodeIdempotencyMismatch:    {"The idempotency key was used for another request.", "La llave de idempotencia ya fue usada con otros datos.", "A chave de idempotência já foi usada com outros dados.", "Khóa idempotency đã được dùng cho yêu cầu khác."},
	loyalty.CodeIdempotencyInProgress:  {"The first request with this key is still running.", "La primera petición con esta llave sigue en curso.", "A primeira requisição com esta chave ainda está em andamento.", "Yêu cầu đầu tiên với khóa này vẫn đang chạy."},

	loyalty.CodeSignInFailed:  {"Company, e-mail or password is wrong.", "La empresa, el correo o la contraseña no son correctos.", "A empresa, o e-mail ou a senha estão incorretos.", "Công ty, email hoặc mật khẩu không đúng."},
	loyalty.CodeSessionEnded:  {"The session has ended; sign in again.", "La sesión terminó; inicie sesión de nuevo.", "A sessão terminou; entre novamente.", "Phiên đã kết thúc; hãy đăng nhập lại."},
	loyalty.CodeScopeExceeded: {"You cannot give a scope that you do not have: {scope}.", "No puede otorgar un permiso que no tiene: {scope}.", "Você não pode conceder uma permissão que não tem: {scope}.", "Bạn không thể cấp quyền mà mình không có: {scope}."},

	loyalty.CodeImportNotFound:     {"The import does not exist.", "La importación no existe.", "A importação não existe.", "Lần nhập không tồn tại."},
	loyalty.CodeImportNotFinished:  {"The import is still running.", "La importación sigue en curso.", "A importação ainda está em andamento.", "Lần nhập vẫn đang chạy."},
	loyalty.CodeNothingToReprocess: {"No row of the import failed.", "Ninguna fila de la importación falló.", "Nenhuma linha da importação falhou.", "Không có dòng nào bị lỗi."},
	loyalty.CodeJobNotFound:        {"The job does not exist.", "El trabajo no existe.", "O trabalho não existe.", "Công việc không tồn tại."},
	loyalty.CodeQueueNotFound:      {"The queue does not exist.", "La cola no existe.", "A fila não existe.", "Hàng đợi không tồn tại."},
}
