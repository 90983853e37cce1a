# Rates, months in work and weights while on treatment, written out; the weights from survival::coxph (Efron).
#
#   Rscript strategies.R [folder]
#
# reads data_strategies.csv of the folder, writes strategies.csv, strategies_incidence.csv and strategies_versions.csv.
suppressMessages({library(survival); library(cmprsk)})
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
rows <- read.csv(file.path(folder, "data_strategies.csv"), na.strings = "")
last <- max(rows$month)
people <- rows[!duplicated(rows$person_id), ]
control <- people[people$arm == "control", ]
death <- tapply(ifelse(rows$dead == 1, rows$month, Inf), rows$person_id, min)
control$death <- death[as.character(control$person_id)]
control$started <- !is.na(control$crossover) & control$crossover <= last
control$time <- ifelse(control$started, control$crossover, pmin(control$death, last))
fit <- coxph(Surv(time, started) ~ age + site, data = control, ties = "efron")
base <- basehaz(fit, centered = FALSE)
lp <- as.vector(model.matrix(~ age + site, control)[, -1] %*% coef(fit))
names(lp) <- control$person_id
hazard <- function(t) if (any(base$time <= t)) max(base$hazard[base$time <= t]) else 0
gone <- rows$arm == "control" & !is.na(rows$crossover) & rows$month >= rows$crossover
w <- rep(1, nrow(rows))
for (i in which(rows$arm == "control" & !gone)) {
  id <- as.character(rows$person_id[i])
  w[i] <- exp(hazard(min(rows$month[i], death[id])) * exp(lp[id]))
}
out <- NULL
add <- function(strategy, measure, group, month, estimate, se = NA)
  out <<- rbind(out, data.frame(strategy, measure, group, month, estimate, std_error = se))
months <- function(strategy, keep, weight) {
  total <- list()
  for (a in c("control", "ips")) {
    infl <- setNames(rep(0, sum(people$arm == a)), people$person_id[people$arm == a]); m <- 0
    for (t in 1:last) {
      i <- which(rows$arm == a & rows$month == t & keep)
      y <- ifelse(rows$dead[i] == 1, 0, rows$works[i]); i <- i[!is.na(y)]; y <- y[!is.na(y)]
      p <- sum(weight[i] * y) / sum(weight[i]); m <- m + p
      id <- as.character(rows$person_id[i]); infl[id] <- infl[id] + weight[i] * (y - p) / sum(weight[i])
    }
    seen <- unique(as.character(rows$person_id[rows$arm == a & keep & (!is.na(rows$works) | rows$dead == 1)]))
    n <- length(seen); se <- sqrt(sum(infl^2) * n / (n - 1))
    add(strategy, "months_in_work", a, last, m, se); total[[a]] <- c(m, se)
  }
  add(strategy, "months_in_work_difference", "ips - control", last, total$ips[1] - total$control[1],
      sqrt(total$ips[2]^2 + total$control[2]^2))
}
rates <- function(strategy, keep, weight, robust) {
  for (t in c(4, last)) {
    p <- c(); e <- c()
    for (a in c("control", "ips")) {
      i <- which(rows$arm == a & rows$month == t & keep & !is.na(rows$works)); y <- rows$works[i]; u <- weight[i]
      p[a] <- sum(u * y) / sum(u)
      n <- length(i)
      se <- if (robust) sqrt(sum((u * (y - p[a]) / sum(u))^2) * n / (n - 1)) else sqrt(p[a] * (1 - p[a]) / n)
      e[a] <- se; add(strategy, "rate", a, t, p[a], se)
    }
    add(strategy, "risk_difference", "ips - control", t, p["ips"] - p["control"], sqrt(sum(e^2)))
  }
}
one <- rep(1, nrow(rows)); all <- rep(TRUE, nrow(rows))
rates("treatment_policy", all, one, FALSE); months("treatment_policy", all, one)
rates("while_on_treatment", !gone, one, FALSE); months("while_on_treatment", !gone, one)
rates("weighted", !gone, w, TRUE); months("weighted", !gone, w)
out[c("estimate", "std_error")] <- lapply(out[c("estimate", "std_error")], function(x) formatC(x, digits = 17, format = "g"))
write.csv(out, file.path(folder, "strategies.csv"), row.names = FALSE, quote = FALSE)
all_people <- people
all_people$death <- death[as.character(all_people$person_id)]
all_people$status <- ifelse(!is.na(all_people$crossover), 1, ifelse(is.finite(all_people$death), 2, 0))
all_people$time <- ifelse(all_people$status == 1, all_people$crossover, pmin(all_people$death, last))
found <- NULL
for (a in c("control", "ips")) {
  own <- all_people[all_people$arm == a, ]
  curve <- timepoints(cuminc(own$time, own$status), times = 1:last)
  row <- grep(" 1$", rownames(curve$est))
  found <- rbind(found, data.frame(group = a, time = 1:last, estimate = curve$est[row, ], std_error = sqrt(curve$var[row, ])))
}
found[3:4] <- lapply(found[3:4], function(x) formatC(x, digits = 17, format = "g"))
write.csv(found, file.path(folder, "strategies_incidence.csv"), row.names = FALSE, quote = FALSE)
packages <- c("survival", "cmprsk")
write.csv(data.frame(name = c("R", packages), version = c(as.character(getRversion()), sapply(packages, function(p) as.character(packageVersion(p))))),
  file.path(folder, "strategies_versions.csv"), row.names = FALSE, quote = FALSE)
