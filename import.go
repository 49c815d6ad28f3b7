package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sello/loyalty/auth"
	"sello/loyalty/imports"
)

type importCommand struct {
	File    string `arg:"" type:"existingfile" help:"CSV of points (nombres, apellidos, email, documento_de_identidad, puntos)."`
	Company string `required:"" help:"The company's code."`
	Email   string `help:"Who gets the result by mail."`
	Force   bool   `help:"Apply the same file once more."`
}

// Run stages the file; a worker applies it.
func (c importCommand) Run(ctx context.Context) error {
	return withCompany(ctx, c.Company, func(a *app, who auth.Principal) error {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		imported, repeated, err := a.graph.Imports.Upload(ctx, who, imports.Upload{
			FileName: filepath.Base(c.File), Body: f, Recipient: c.Email, Forced: c.Force,
		})
		if err != nil {
			return err
		}
		if repeated {
			fmt.Fprintln(os.Stderr, "this file was imported before; --force applies it once more")
		}
		fmt.Println(imported.ID)
		return nil
	})
}
