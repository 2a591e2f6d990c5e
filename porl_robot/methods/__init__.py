"""The parts methods are made of. A method is a composition of them in a short YAML; none has a class of its own."""
