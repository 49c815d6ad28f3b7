package demo

// Names, products and area codes of the region the demo company is in.

var firstNames = []string{
	"María", "José", "Guadalupe", "Juan", "Sofía", "Luis", "Fernanda", "Carlos", "Valentina", "Miguel Ángel", "Ximena",
	"Jesús", "Camila", "Alejandro", "Daniela", "Francisco", "Regina", "Jorge", "Mariana", "Ricardo", "Andrea", "Raúl",
	"Paola", "Héctor", "Lucía", "Óscar", "Renata", "Iván", "Alejandra", "Rubén", "Natalia", "Sergio", "Montserrat",
	"Eduardo", "Ana Sofía", "Armando", "Itzel", "Tomás", "Citlali", "Germán", "Noemí", "Adrián", "Esperanza", "Efraín",
}

var lastNames = []string{
	"Hernández", "García", "Martínez", "López", "González", "Pérez", "Rodríguez", "Sánchez", "Ramírez", "Cruz", "Flores",
	"Gómez", "Morales", "Vázquez", "Reyes", "Jiménez", "Torres", "Díaz", "Gutiérrez", "Ruiz", "Mendoza", "Aguilar",
	"Ortiz", "Moreno", "Castillo", "Romero", "Álvarez", "Méndez", "Chávez", "Rivera", "Juárez", "Ramos", "Domínguez",
	"Herrera", "Medina", "Castro", "Vargas", "Guzmán", "Velázquez", "Muñoz", "Rojas", "Ibáñez", "Peña", "Núñez", "Ávila",
}

// areaCodes are those of León, Guadalajara, Mexico City, Monterrey and around.
var areaCodes = []string{"477", "333", "331", "551", "552", "556", "811", "818", "442", "449", "462", "472", "479"}

// baskets are what people buy, with prices in cents.
var baskets = []struct {
	text  string
	cents int64
}{
	{"Café americano y concha", 7850},
	{"Capuchino y cuernito", 9600},
	{"Dos lattes y panqué de elote", 18450},
	{"Chilaquiles verdes con pollo", 13900},
	{"Café de olla", 4500},
	{"Molletes y jugo de naranja", 11275},
	{"Enchiladas mineras y agua de jamaica", 16500},
	{"Torta de milanesa", 9850},
	{"Kilo de café de Coatepec en grano", 38900},
	{"Pastel de tres leches (rebanada)", 8400},
	{"Té de manzanilla y galletas de nata", 6925},
	{"Desayuno para cuatro", 61280},
	{"Caja de mazapanes", 12400},
	{"Frappé de cajeta", 8900},
	{"Tamales oaxaqueños y atole de guayaba", 10750},
}
