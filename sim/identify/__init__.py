"""System identification: what an arm's MuJoCo model has to be for it to move as the arm does."""
