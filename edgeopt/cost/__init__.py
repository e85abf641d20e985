"""What a model costs on a target before it runs there: cycles, energy, RAM and flash per kernel call."""




