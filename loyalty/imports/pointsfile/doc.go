// Package pointsfile is the file side of the bulk points assignment by CSV
// (spec/pretii.md 4): it decodes an uploaded file, splits it into records,
// maps its header, checks every row that can be checked without the database,
// and writes what goes back to the sender, the file of rejected rows and the
// text of the result mail.
//
// It knows no database and no HTTP. An upload takes two passes over the bytes:
// while they are spooled a [Sniffer] hashes them and finds the encoding (4.2
// asks for a look at the whole file), then [Open] reads them row by row.
// Memory does not depend on the size of the file, of a line or of a cell.
//
// The two checks that need the other rows or the customers, email_duplicado
// and documento_de_otro_cliente, belong to SQL; their codes and words are here.
package pointsfile
