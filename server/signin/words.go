package signin

import (
	"net/http"

	"sello/server/request"
)

// Words are the page's in one language.
type Words struct {
	Title, Company, CompanyHint, Email, Password, Button string
	Wrong, TooMany, Busy, Fault                          string
	Already, Continue, SignOut                           string
}

var words = map[string]Words{
	"en": {
		Title: "Sign in", Company: "Company code", CompanyHint: "Lower case, as in your invitation.",
		Email: "E-mail", Password: "Password", Button: "Sign in",
		Wrong:   "Company, e-mail and password do not go together.",
		TooMany: "Too many failed attempts. Try again later.",
		Busy:    "Many people are signing in right now. Try again in a moment.",
		Fault:   "Something went wrong on our side. Try again.",
		Already: "You are signed in as", Continue: "Continue", SignOut: "Sign out",
	},
	"es": {
		Title: "Iniciar sesión", Company: "Código de la empresa", CompanyHint: "En minúsculas, como en su invitación.",
		Email: "Correo electrónico", Password: "Contraseña", Button: "Entrar",
		Wrong:   "La empresa, el correo y la contraseña no corresponden.",
		TooMany: "Demasiados intentos fallidos. Intente más tarde.",
		Busy:    "Muchas personas están entrando en este momento. Intente de nuevo en un instante.",
		Fault:   "Ocurrió un error de nuestro lado. Intente de nuevo.",
		Already: "Su sesión está iniciada como", Continue: "Continuar", SignOut: "Cerrar sesión",
	},
	"pt": {
		Title: "Entrar", Company: "Código da empresa", CompanyHint: "Em minúsculas, como no seu convite.",
		Email: "E-mail", Password: "Senha", Button: "Entrar",
		Wrong:   "Empresa, e-mail e senha não correspondem.",
		TooMany: "Muitas tentativas sem sucesso. Tente mais tarde.",
		Busy:    "Muitas pessoas estão entrando agora. Tente de novo em instantes.",
		Fault:   "Ocorreu um erro do nosso lado. Tente de novo.",
		Already: "Você está conectado como", Continue: "Continuar", SignOut: "Sair",
	},
	"vi": {
		Title: "Đăng nhập", Company: "Mã công ty", CompanyHint: "Chữ thường, như trong thư mời.",
		Email: "E-mail", Password: "Mật khẩu", Button: "Đăng nhập",
		Wrong:   "Công ty, e-mail và mật khẩu không khớp.",
		TooMany: "Quá nhiều lần thử không thành công. Vui lòng thử lại sau.",
		Busy:    "Đang có nhiều người đăng nhập. Vui lòng thử lại sau giây lát.",
		Fault:   "Đã xảy ra lỗi ở phía chúng tôi. Vui lòng thử lại.",
		Already: "Bạn đang đăng nhập với", Continue: "Tiếp tục", SignOut: "Đăng xuất",
	},
}

// languageOf is the request's language as the server found it, English if none.
func languageOf(r *http.Request) string {
	language := request.From(r.Context()).Language
	if _, ok := words[language]; ok {
		return language
	}
	return "en"
}

func wordsOf(r *http.Request) Words { return words[languageOf(r)] }
