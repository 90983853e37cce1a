# R's answers on time to event: curves, quantiles, areas and tests.
#
#   Rscript survival.R [folder]
#
# writes survival_people.csv (the rows) and survival_*.csv (the answers, 17
# digits) into the folder, by default the one it is started in, and
# survival_versions.csv. Needs the packages survival and cmprsk.

suppressPackageStartupMessages({
  library(survival)
  library(cmprsk)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
written <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write.csv(rows, file.path(folder, name), row.names = FALSE, quote = FALSE, na = "")
}

# 400 people, heavy monthly ties, three arms of different hazards, competing events, clusters that span arms.
set.seed(4321)
n <- 400L
people <- data.frame(
  id = 1:n,
  arm = sample(c("control", "ips", "other"), n, TRUE, c(.4, .4, .2)),
  site = sample(c("north", "south", "west"), n, TRUE),
  cluster = sample(1:45, n, TRUE),
  copies = sample(0:3, n, TRUE),
  weight = round(rexp(n) + 0.2, 3)
)
pace <- c(control = 30, ips = 18, other = 24)[people$arm] * exp(rnorm(45, 0, .3))[people$cluster]
first <- ceiling(rexp(n) * pace)
second <- ceiling(rexp(n) * 70)
ended <- pmin(sample(8:43, n, TRUE), 43)
people$time <- as.integer(pmin(first, second, ended))
people$event <- ifelse(first == people$time, 1L, ifelse(second == people$time, 2L, 0L))
people$entry <- as.integer(ifelse(runif(n) < .4, floor(runif(n) * people$time), 0))
six <- data.frame(id = 1:6, arm = "six", site = "north", cluster = c(1L, 1L, 2L, 2L, 3L, 3L), copies = 1L,
                  weight = c(1.5, 2, .3, 1, 1, 2), time = c(1L, 2L, 2L, 3L, 4L, 4L), event = c(1L, 1L, 0L, 1L, 1L, 0L), entry = 0L)
# edges: everybody gone in the end; a risk set emptied by a death, then late entries; emptied by a censoring; day 0; days
edge <- function(arm, entry, time, event) {
  k <- length(time)
  data.frame(id = 1:k, arm = arm, site = "north", cluster = rep_len(1:3, k), copies = 1L, weight = rep_len(c(.5, 1.25, 2), k),
             time = as.integer(time), event = as.integer(event), entry = as.integer(entry))
}
edges <- rbind(
  edge("all_gone", 0, c(1, 2, 2, 3, 4, 4), c(0, 1, 0, 1, 1, 1)),
  edge("emptied_by_event", c(0, 0, 4, 4), c(2, 3, 6, 7), c(1, 1, 1, 0)),
  edge("emptied_by_censoring", c(0, 0, 4, 4), c(2, 3, 6, 7), c(1, 0, 1, 0)),
  edge("exact_half", 0, c(1, 2, 3, 5, 8, 9), c(1, 1, 1, 0, 1, 0)),
  edge("no_events", 0, c(3, 5, 8), c(0, 0, 0)),
  edge("one_person", 0, 4, 1),
  edge("days", c(0, 10, 0, 0, 700, 0, 20), c(1309, 800, 4000, 800, 2500, 4000, 31), c(1, 1, 0, 0, 1, 1, 1))
)
rows <- rbind(people, six, edges)
written(rows, "survival_people.csv")

curves <- quantiles <- list()
add <- function(case, d, fit, kind) {
  group <- if (is.null(fit$strata)) rep(d$arm[1], length(fit$time)) else rep(sub("arm=", "", names(fit$strata)), fit$strata)
  error <- if (isTRUE(fit$logse)) fit$std.err * fit$surv else fit$std.err
  curves[[length(curves) + 1]] <<- data.frame(
    case = case, interval = kind, group = group, time = fit$time, at_risk = fit$n.risk, events = fit$n.event, estimate = fit$surv,
    std_error = error, conf_low = fit$lower, conf_high = fit$upper, cumhaz = fit$cumhaz, std_chaz = fit$std.chaz)
  probs <- c(.1, .25, 1 / 3, .5, .75)
  q <- lapply(quantile(fit, probs), function(m) if (is.matrix(m)) m else matrix(m, 1))
  quantiles[[length(quantiles) + 1]] <<- data.frame(
    case = case, interval = kind, group = rep(unique(group), length(probs)), probability = rep(probs, each = nrow(q$quantile)),
    estimate = c(q$quantile), conf_low = c(q$lower), conf_high = c(q$upper))
}
# Surv with entry 0 for everybody is Surv without entry
for (kind in c("log-log", "log", "plain")) {
  add("ties", people, survfit(Surv(time, event == 1) ~ arm, people, conf.type = kind), kind)
  add("entry", people, survfit(Surv(entry, time, event == 1) ~ arm, people, conf.type = kind), kind)
  add("frequency", people, survfit(Surv(time, event == 1) ~ arm, people[rep(1:n, people$copies), ], conf.type = kind), kind)
  add("probability", people, survfit(Surv(time, event == 1) ~ arm, people, weights = weight, robust = TRUE, conf.type = kind), kind)
  add("probability_entry", people,
      survfit(Surv(entry, time, event == 1) ~ arm, people, weights = weight, robust = TRUE, id = id, conf.type = kind), kind)
  add("cluster", people, survfit(Surv(time, event == 1) ~ arm, people, cluster = cluster, conf.type = kind), kind)
  add("probability_cluster", people,
      survfit(Surv(time, event == 1) ~ arm, people, weights = weight, cluster = cluster, conf.type = kind), kind)
  add("six", six, survfit(Surv(time, event) ~ 1, six, conf.type = kind), kind)
  for (part in split(edges, edges$arm)) {
    add("edge", part, survfit(Surv(entry, time, event) ~ 1, part, conf.type = kind), kind)
    add("edge_weighted", part, survfit(Surv(entry, time, event) ~ 1, part, weights = weight, robust = TRUE, id = id, conf.type = kind), kind)
  }
}
written(do.call(rbind, curves), "survival_curves.csv")
written(do.call(rbind, quantiles), "survival_quantiles.csv")

# multi-state: errors by cluster, and Aalen's variance as cmprsk has it
incidence <- list()
state <- factor(people$event, 0:2)
for (arm in unique(people$arm)) {
  part <- people[people$arm == arm, ]
  s <- factor(part$event, 0:2)
  # with both id= and cluster= R's own std.err of a multi-state curve stays that by id: influences are added by cluster here
  entered <- Surv(part$entry, part$time, s)
  fits <- list(cluster = survfit(Surv(time, s) ~ 1, part, id = id, influence = TRUE),
               probability_cluster = survfit(Surv(time, s) ~ 1, part, id = id, weights = weight, influence = TRUE),
               probability_entry_cluster = survfit(entered ~ 1, part, id = id, weights = weight, influence = TRUE))
  for (case in names(fits)) for (cause in 1:2) {
    fit <- fits[[case]]
    u <- fit$influence.pstate[, , cause + 1]
    if (ncol(u) > length(fit$time)) u <- u[, -1]
    incidence[[length(incidence) + 1]] <- data.frame(case = case, group = arm, cause = cause, time = fit$time,
      estimate = fit$pstate[, cause + 1], std_error = sqrt(colSums(rowsum(u * if (case == "cluster") 1 else part$weight, part$cluster)^2)))
  }
  fit <- cuminc(part$time, part$event)
  for (cause in 1:2) {
    at <- timepoints(fit[cause], 0:max(part$time))
    incidence[[length(incidence) + 1]] <- data.frame(case = "aalen", group = arm, cause = cause, time = 0:max(part$time),
      estimate = c(at$est), std_error = sqrt(c(at$var)))
  }
}
written(do.call(rbind, incidence), "survival_incidence.csv")

# areas: the printed restricted means, and the infinitesimal jackknife through each person's influence on the area
means <- list()
note <- function(case, measure, group, horizon, estimate, std_error)
  means[[length(means) + 1]] <<- data.frame(case = case, measure = measure, group = group, horizon = horizon, estimate = estimate,
                                            std_error = std_error)
arms <- c("control", "ips", "other")
contrasts <- function(case, horizon, mean, covariance, measure, ratio) for (other in c("ips", "other")) {
  k <- c(control = -1, ips = 0, other = 0)
  k[other] <- 1
  note(case, paste0(measure, "_difference"), paste(other, "-", "control"), horizon, sum(k * mean), sqrt(c(k %*% covariance %*% k)))
  k <- k / mean
  if (ratio) note(case, paste0(measure, "_ratio"), paste(other, "/", "control"), horizon, mean[[other]] / mean[["control"]],
                  sqrt(c(k %*% covariance %*% k)))
}
answers <- function(case, horizon, mean, covariance, measure, ratio = TRUE) {
  for (i in 1:3) note(case, measure, arms[i], horizon, mean[[i]], sqrt(covariance[i, i]))
  contrasts(case, horizon, setNames(mean, arms), covariance, measure, ratio)
}
printed <- function(fit, horizon) survival:::survmean(fit, scale = 1, rmean = horizon)$matrix
for (horizon in c(12, 36, 38.5)) {
  for (case in c("ties", "entry", "frequency")) {
    d <- if (case == "frequency") people[rep(1:n, people$copies), ] else people
    y <- if (case == "entry") with(d, Surv(entry, time, event == 1)) else with(d, Surv(time, event == 1))
    m <- printed(survfit(y ~ arm, d), horizon)
    answers(case, horizon, m[, "rmean"], diag(m[, "se(rmean)"]^2), "rmst")
  }
  # influence.surv is already weighted, influence.pstate is not; the area weighs each step by its width
  jackknife <- function(case, weights, cluster, measure) {
    total <- matrix(0, n, 3)
    mean <- numeric(3)
    for (i in 1:3) {
      here <- which(people$arm == arms[i])
      part <- people[here, ]
      w <- weights[here]
      if (measure == "rmst") {
        fit <- survfit(Surv(time, event == 1) ~ 1, part, weights = w, influence = 1, robust = TRUE)
        times <- c(0, fit$time); values <- c(1, fit$surv)
        u <- cbind(0, fit$influence.surv)
      } else {
        fit <- survfit(Surv(time, factor(event, 0:2)) ~ 1, part, weights = w, id = id, influence = TRUE)
        times <- c(0, fit$time); values <- c(0, fit$pstate[, 2])
        infl <- fit$influence.pstate
        # the first slice is time 0 where R gives one more than there are times
        u <- w * (if (dim(infl)[2] == length(fit$time)) cbind(0, infl[, , 2]) else infl[, , 2])
      }
      width <- diff(c(pmin(times, horizon), horizon))
      mean[i] <- sum(values * width)
      total[here, i] <- u %*% width
    }
    sums <- rowsum(total, cluster)
    answers(case, horizon, mean, crossprod(sums), measure, measure == "rmst")
  }
  one <- rep(1, n)
  jackknife("probability", people$weight, people$id, "rmst")
  jackknife("cluster", one, people$cluster, "rmst")
  jackknife("probability_cluster", people$weight, people$cluster, "rmst")
  jackknife("gained", one, people$id, "mean")
  jackknife("gained_probability", people$weight, people$id, "mean")
  jackknife("gained_cluster", one, people$cluster, "mean")
}
written(do.call(rbind, means), "survival_means.csv")

tests <- list()
tested <- function(case, statistic, freedom)
  tests[[length(tests) + 1]] <<- data.frame(case = case, statistic = c(statistic), freedom = freedom,
                                            p_value = pchisq(c(statistic), freedom, lower.tail = FALSE))
two <- people[people$arm != "other", ]
repeated <- people[rep(1:n, people$copies), ]
for (cause in 1:2) {
  tested(paste0("log_rank_three_", cause), survdiff(Surv(time, event == cause) ~ arm, people)$chisq, 2)
  tested(paste0("log_rank_two_", cause), survdiff(Surv(time, event == cause) ~ arm, two)$chisq, 1)
  tested(paste0("log_rank_strata_", cause), survdiff(Surv(time, event == cause) ~ arm + strata(site), people)$chisq, 2)
  tested(paste0("log_rank_frequency_", cause), survdiff(Surv(time, event == cause) ~ arm, repeated)$chisq, 2)
  # survdiff knows no entry: the score test of the exact partial likelihood is the log-rank test
  # (of few people: its cost grows without bound with the number of ties)
  cox <- coxph(Surv(entry, time, event == cause) ~ arm, people[1:50, ], ties = "exact")
  tested(paste0("log_rank_entry_", cause), cox$score, 2)
  tested(paste0("gray_three_", cause), cuminc(people$time, people$event, people$arm)$Tests[cause, "stat"], 2)
  tested(paste0("gray_two_", cause), cuminc(two$time, two$event, two$arm)$Tests[cause, "stat"], 1)
  tested(paste0("gray_strata_", cause), cuminc(people$time, people$event, people$arm, people$site)$Tests[cause, "stat"], 2)
  tested(paste0("gray_frequency_", cause), cuminc(repeated$time, repeated$event, repeated$arm)$Tests[cause, "stat"], 2)
}
o <- survdiff(Surv(time, event == 1) ~ arm, people)
written(do.call(rbind, tests), "survival_tests.csv")
written(data.frame(group = arms, events = as.integer(o$obs), estimate = o$exp), "survival_expected.csv")
written(data.frame(name = c("R", "survival", "cmprsk"),
                   version = c(paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("survival")),
                               as.character(packageVersion("cmprsk")))), "survival_versions.csv")
