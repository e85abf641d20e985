"""What a layer can become: techniques, the forms they offer, and the one function that carries solutions out."""
