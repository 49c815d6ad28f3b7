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

	// Ledger.
	loyalty.CodeAmountOverLimit:    {"The amount is over the limit of {limit}.", "El importe supera el límite de {limit}.", "O valor ultrapassa o limite de {limit}.", "Số lượng vượt giới hạn {limit}."},
	loyalty.CodeCardNotValid:       {"The card is not valid today.", "La tarjeta no está vigente hoy.", "O cartão não está válido hoje.", "Thẻ không có hiệu lực hôm nay."},
	loyalty.CodeCVVWrong:           {"The CVV is wrong.", "El CVV no es correcto.", "O CVV não está correto.", "Mã CVV không đúng."},
	loyalty.CodeHoldNotFound:       {"The hold does not exist.", "La retención no existe.", "A retenção não existe.", "Khoản giữ không tồn tại."},
	loyalty.CodeHoldEnded:          {"The hold has ended.", "La retención ya terminó.", "A retenção já terminou.", "Khoản giữ đã kết thúc."},
	loyalty.CodeHoldOpen:           {"A hold is open on the card.", "La tarjeta tiene una retención abierta.", "O cartão tem uma retenção aberta.", "Thẻ đang có khoản giữ."},
	loyalty.CodeTransferNotAllowed: {"This transfer is not allowed.", "Esta transferencia no está permitida.", "Esta transferência não é permitida.", "Không được phép chuyển."},
	loyalty.CodeMovementNotFound:   {"The movement does not exist.", "El movimiento no existe.", "O movimento não existe.", "Giao dịch không tồn tại."},
	loyalty.CodeNotReversible:      {"This movement cannot be reversed.", "Este movimiento no se puede revertir.", "Este movimento não pode ser revertido.", "Giao dịch này không thể hoàn lại."},
	loyalty.CodeReturnTooLarge:     {"Only {left} is left to return.", "Solo queda {left} por devolver.", "Só resta {left} a devolver.", "Chỉ còn {left} để hoàn lại."},
	loyalty.CodeLinesMismatch:      {"The lines do not match the movement.", "Las líneas no coinciden con el movimiento.", "As linhas não correspondem ao movimento.", "Các dòng không khớp với giao dịch."},
	loyalty.CodeLotNotFound:        {"The lot does not exist.", "El lote no existe.", "O lote não existe.", "Lô điểm không tồn tại."},
	loyalty.CodeLotsNotKept:        {"Points of this card type do not expire.", "Los puntos de este tipo de tarjeta no vencen.", "Os pontos deste tipo de cartão não expiram.", "Điểm của loại thẻ này không hết hạn."},
	loyalty.CodeNotPending:         {"The points are not pending.", "Los puntos no están pendientes.", "Os pontos não estão pendentes.", "Điểm không ở trạng thái chờ."},
	loyalty.CodePolicyApplying:     {"An earlier change of the policy is still being applied.", "Todavía se aplica un cambio anterior de la política.", "Uma mudança anterior da política ainda está sendo aplicada.", "Thay đổi chính sách trước vẫn đang được áp dụng."},
	loyalty.CodeCustomerRequired:   {"Cards of this type need a customer.", "Las tarjetas de este tipo requieren un cliente.", "Cartões deste tipo exigem um cliente.", "Thẻ loại này cần có khách hàng."},
	loyalty.CodeActiveCardExists:   {"The customer already has an enabled card of this type.", "El cliente ya tiene una tarjeta habilitada de este tipo.", "O cliente já tem um cartão habilitado deste tipo.", "Khách hàng đã có thẻ đang hoạt động loại này."},
	loyalty.CodeCardHasCustomer:    {"The card belongs to another customer.", "La tarjeta pertenece a otro cliente.", "O cartão pertence a outro cliente.", "Thẻ thuộc về khách hàng khác."},
	loyalty.CodeNumbersUsedUp:      {"No card number is left in the ranges.", "No quedan números de tarjeta en los rangos.", "Não restam números de cartão nas faixas.", "Không còn số thẻ trong dải."},

	// report
	loyalty.CodeRangeTooLong:       {"At most {days} days can be asked for.", "Se pueden pedir como máximo {days} días.", "É possível pedir no máximo {days} dias.", "Chỉ có thể yêu cầu tối đa {days} ngày."},
	loyalty.CodeReportRebuilding:   {"The figures are being counted anew already.", "Las cifras ya se están recalculando.", "Os números já estão sendo recalculados.", "Số liệu đang được tính lại."},
	loyalty.CodeLedgerCheckRunning: {"The books are being checked already.", "Los libros ya se están verificando.", "Os livros já estão sendo verificados.", "Sổ sách đang được kiểm tra."},
	// Webhooks.
	loyalty.CodeWebhookURLRefused:   {"The address must be https and on the public internet.", "La dirección debe ser https y estar en internet público.", "O endereço deve ser https e estar na internet pública.", "Địa chỉ phải là https và thuộc internet công cộng."},
	loyalty.CodeWebhookLimitReached: {"There can be at most {limit} webhooks.", "Puede haber como máximo {limit} webhooks.", "Pode haver no máximo {limit} webhooks.", "Chỉ có thể có tối đa {limit} webhook."},
	loyalty.CodeEventsGone:          {"The events behind this place are no longer kept.", "Los eventos posteriores a ese punto ya no se conservan.", "Os eventos depois desse ponto não são mais mantidos.", "Các sự kiện sau điểm này không còn được lưu giữ."},
	loyalty.CodeReplayRunning:       {"The last replay is still being queued.", "La repetición anterior aún se está encolando.", "A repetição anterior ainda está sendo enfileirada.", "Lần gửi lại trước vẫn đang được xếp hàng."},
	// Customers, their attributes and segments.
	loyalty.CodeCustomerMerged:    {"The customer was merged into another one: {intoId}.", "El cliente fue unido a otro: {intoId}.", "O cliente foi unido a outro: {intoId}.", "Khách hàng đã được gộp vào khách hàng khác: {intoId}."},
	loyalty.CodeCustomerErased:    {"The customer's personal data was erased.", "Los datos personales del cliente fueron eliminados.", "Os dados pessoais do cliente foram apagados.", "Dữ liệu cá nhân của khách hàng đã bị xóa."},
	loyalty.CodeAttributeUnknown:  {"The attribute is not defined.", "El atributo no está definido.", "O atributo não está definido.", "Thuộc tính chưa được định nghĩa."},
	loyalty.CodeAttributeInvalid:  {"The value of {attribute} is not of the type {type}.", "El valor de {attribute} no es del tipo {type}.", "O valor de {attribute} não é do tipo {type}.", "Giá trị của {attribute} không thuộc kiểu {type}."},
	loyalty.CodeAttributeRequired: {"The attribute {attribute} needs a value.", "El atributo {attribute} necesita un valor.", "O atributo {attribute} precisa de um valor.", "Thuộc tính {attribute} cần có giá trị."},
	loyalty.CodeAttributeNotReady: {"The attribute is still being indexed; try again later.", "El atributo aún se está indexando; intente más tarde.", "O atributo ainda está sendo indexado; tente mais tarde.", "Thuộc tính vẫn đang được lập chỉ mục; hãy thử lại sau."},
	loyalty.CodeAttributeLimit:    {"A company has at most {limit} attributes.", "Una empresa tiene como máximo {limit} atributos.", "Uma empresa tem no máximo {limit} atributos.", "Một công ty có tối đa {limit} thuộc tính."},
	loyalty.CodeSegmentNotFound:   {"The segment does not exist.", "El segmento no existe.", "O segmento não existe.", "Phân khúc không tồn tại."},
	loyalty.CodeSegmentArchived:   {"The segment is archived.", "El segmento está archivado.", "O segmento está arquivado.", "Phân khúc đã được lưu trữ."},
	// Coupons.
	loyalty.CodeCouponNotFound:         {"The coupon does not exist.", "El cupón no existe.", "O cupom não existe.", "Phiếu ưu đãi không tồn tại."},
	loyalty.CodeCouponTypeNotFound:     {"The coupon type does not exist.", "El tipo de cupón no existe.", "O tipo de cupom não existe.", "Loại phiếu ưu đãi không tồn tại."},
	loyalty.CodeCouponTypeArchived:     {"The coupon type is archived.", "El tipo de cupón está archivado.", "O tipo de cupom está arquivado.", "Loại phiếu ưu đãi đã được lưu trữ."},
	loyalty.CodeCouponConsumed:         {"The coupon has been used up.", "El cupón ya fue consumido.", "O cupom já foi consumido.", "Phiếu ưu đãi đã được sử dụng hết."},
	loyalty.CodeCouponVoided:           {"The coupon was voided.", "El cupón fue anulado.", "O cupom foi anulado.", "Phiếu ưu đãi đã bị hủy."},
	loyalty.CodeCouponNotYetValid:      {"The coupon is not valid yet.", "El cupón aún no es válido.", "O cupom ainda não é válido.", "Phiếu ưu đãi chưa có hiệu lực."},
	loyalty.CodeCouponExpired:          {"The coupon has expired.", "El cupón está vencido.", "O cupom está vencido.", "Phiếu ưu đãi đã hết hạn."},
	loyalty.CodeCouponCustomerRequired: {"The coupon needs a customer.", "El cupón requiere un cliente.", "O cupom exige um cliente.", "Phiếu ưu đãi cần có khách hàng."},
	loyalty.CodeCouponOfAnother:        {"The coupon belongs to another customer.", "El cupón pertenece a otro cliente.", "O cupom pertence a outro cliente.", "Phiếu ưu đãi thuộc về khách hàng khác."},
	loyalty.CodeCouponNotRedeemed:      {"The coupon was not used under this reference.", "El cupón no fue usado con esta referencia.", "O cupom não foi usado com esta referência.", "Phiếu ưu đãi chưa được sử dụng với mã tham chiếu này."},
	loyalty.CodeCouponBatchNotFound:    {"The batch of coupons does not exist.", "El lote de cupones no existe.", "O lote de cupons não existe.", "Lô phiếu ưu đãi không tồn tại."},

	// Products and rewards.
	loyalty.CodeProductNotFound:        {"The product does not exist.", "El producto no existe.", "O produto não existe.", "Sản phẩm không tồn tại."},
	loyalty.CodeProductCodeNotFound:    {"The code does not exist.", "El código no existe.", "O código não existe.", "Mã tích lũy không tồn tại."},
	loyalty.CodeProductCodeUsed:        {"The code has been used.", "El código ya fue usado.", "O código já foi usado.", "Mã tích lũy đã được sử dụng."},
	loyalty.CodeProductCodeInactive:    {"The code has expired or is blocked.", "El código está vencido o bloqueado.", "O código está vencido ou bloqueado.", "Mã tích lũy đã hết hạn hoặc bị khóa."},
	loyalty.CodeRewardNotFound:         {"The reward does not exist.", "El premio no existe.", "O prêmio não existe.", "Phần quà không tồn tại."},
	loyalty.CodeRewardInactive:         {"The reward is not available.", "El premio no está vigente.", "O prêmio não está disponível.", "Phần quà không còn hiệu lực."},
	loyalty.CodeRewardOutOfStock:       {"The reward is out of stock.", "El premio está agotado.", "O prêmio está esgotado.", "Phần quà đã hết."},
	loyalty.CodeRewardCardTypeMismatch: {"The reward is not paid from this type of card.", "El premio no se canjea con este tipo de tarjeta.", "O prêmio não é trocado com este tipo de cartão.", "Phần quà không đổi được bằng loại thẻ này."},
	loyalty.CodeRewardClaimNotFound:    {"The claim does not exist.", "El canje no existe.", "O resgate não existe.", "Lượt đổi quà không tồn tại."},
	// Cards.
	loyalty.CodeBalanceLeft: {"Something is left on the card: {balance}.", "Queda saldo en la tarjeta: {balance}.", "Ainda há saldo no cartão: {balance}.", "Thẻ vẫn còn số dư: {balance}."},
	loyalty.CodeCVVLocked:   {"Too many wrong CVVs; try again in {minutes} minutes.", "Demasiados CVV incorrectos; intente de nuevo en {minutes} minutos.", "CVVs incorretos demais; tente novamente em {minutes} minutos.", "Sai CVV quá nhiều lần; hãy thử lại sau {minutes} phút."},
	// Jobs.
	loyalty.CodeJobKindNotFound: {"There is no job of this kind to run.", "No hay un trabajo de este tipo que ejecutar.", "Não há um trabalho deste tipo para executar.", "Không có tác vụ loại này để chạy."},
	// People named by phone and e-mail.
	loyalty.CodeCustomerBlocked: {"The customer is blocked.", "El cliente está bloqueado.", "O cliente está bloqueado.", "Khách hàng đã bị khóa."},
	// Plans, phones and messages.
	loyalty.CodeAreaCodeUnsupported:    {"The area code is not supported.", "La lada no está soportada.", "O DDD não é atendido.", "Mã vùng không được hỗ trợ."},
	loyalty.CodePhoneLandline:          {"The phone is a landline.", "El teléfono es fijo.", "O telefone é fixo.", "Số điện thoại là máy bàn."},
	loyalty.CodePhoneBlocked:           {"The phone is on the blacklist.", "El teléfono está en la lista negra.", "O telefone está na lista de bloqueio.", "Số điện thoại nằm trong danh sách chặn."},
	loyalty.CodeContactQuotaReached:    {"The plan's contacts are used up.", "Ya no hay clientes disponibles en el plan.", "Não há mais clientes disponíveis no plano.", "Gói đã hết số khách hàng."},
	loyalty.CodeRedemptionQuotaReached: {"The plan's redemptions of this period are used up.", "Ya no hay canjes disponibles en el periodo.", "Não há mais resgates disponíveis no período.", "Gói đã hết lượt đổi trong kỳ này."},
	loyalty.CodeMessageBalanceLow:      {"The prepaid balance does not pay for the message: {available}.", "El saldo prepagado no alcanza para el mensaje: {available}.", "O saldo pré-pago não cobre a mensagem: {available}.", "Số dư trả trước không đủ cho tin nhắn: {available}."},
	loyalty.CodePlaceholderUnknown:     {"Nothing is put in for this placeholder: {placeholder}.", "Este marcador no existe: {placeholder}.", "Este marcador não existe: {placeholder}.", "Không có chỗ điền này: {placeholder}."},
}
