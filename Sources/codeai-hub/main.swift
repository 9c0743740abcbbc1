// The terminal client: everything it does is in the Terminal module.
