# R's answers on states: occupation probabilities with their errors, and mean months in each state.
#
#   Rscript states.R [folder]
#
# writes states_people.csv (a row a person and month), states_occupation.csv, states_months.csv and states_versions.csv, numbers
# with 17 digits. The Python tests read the same rows; they need no R. Needs the package survival. Each arm is fitted alone:
# survfit(~ arm) of 3.5 gives slightly other errors than the same arm alone.

suppressPackageStartupMessages(library(survival))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) formatC(x, digits = 17, format = "g", width = 1)
written <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write.csv(rows, file.path(folder, name), row.names = FALSE, quote = FALSE)
}

states <- c("work", "aap", "none", "dead")
step <- rbind(c(.80, .10, .08, .02), c(.10, .75, .10, .05), c(.15, .10, .73, .02), c(0, 0, 0, 1))
set.seed(417)
rows <- do.call(rbind, lapply(1:160, function(person) {
  place <- sample(4, 1, prob = c(.2, .3, .5, 0))
  until <- sample(4:20, 1)
  arm <- if (person %% 2) "ips" else "control"
  do.call(rbind, lapply(0:12, function(month) {
    if (month > 0) place <<- sample(4, 1, prob = step[place, ] + if (arm == "ips" && place < 4) c(.05, 0, 0, 0) else 0)
    data.frame(person_id = person, arm = arm, month = month, state = if (month <= until) states[place] else "not_observed")
  }))
}))
written(rows, "states_people.csv")

spells <- do.call(rbind, lapply(split(rows, rows$person_id), function(p) {
  p <- p[order(p$month), ]
  p <- p[p$state != "not_observed", ]
  k <- seq_len(nrow(p) - 1)
  data.frame(id = p$person_id[1], arm = p$arm[1], from = p$state[k], to = p$state[k + 1], t1 = p$month[k], t2 = p$month[k + 1])
}))
spells$event <- factor(ifelse(spells$from == spells$to, "stays", spells$to), levels = c("stays", states))
spells$from <- factor(spells$from, levels = states)

occupation <- NULL
months <- NULL
for (arm in c("control", "ips")) {
  own <- spells[spells$arm == arm, ]
  fit <- survfit(Surv(t1, t2, event) ~ 1, data = own, id = id, istate = from, influence = TRUE)
  at <- summary(fit, times = 1:12)
  influence <- if (is.list(fit$influence)) fit$influence[[1]] else fit$influence
  for (s in seq_along(states)) {
    occupation <- rbind(occupation, data.frame(group = arm, state = states[s], month = at$time, estimate = at$pstate[, s],
                                               std_error = at$std.err[, s]))
    # sums over months 1 to 12: influence functions add up
    # the influence starts with that on the first distribution, before any time of the curve
    place <- match(1:12, fit$time) + dim(influence)[2] - length(fit$time)
    months <- rbind(months, data.frame(group = arm, state = states[s], estimate = sum(at$pstate[, s]),
                                       std_error = sqrt(sum(rowSums(influence[, place, s])^2))))
  }
}
written(occupation, "states_occupation.csv")
written(months, "states_months.csv")
versions <- data.frame(what = c("R", "survival"), version = c(as.character(getRversion()), as.character(packageVersion("survival"))))
write.csv(versions, file.path(folder, "states_versions.csv"), row.names = FALSE, quote = FALSE)
