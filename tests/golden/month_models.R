# R's answers on slopes with a knot, history and rates adjusted for a break.
#
#   Rscript month_models.R [folder]
#
# reads data_curves.csv beside it and writes month_models.csv, with 17 digits, and month_models_versions.csv. Needs the packages
# sandwich and clubSandwich.

suppressPackageStartupMessages({
  library(sandwich)
  library(clubSandwich)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
rows <- read.csv(file.path(folder, "data_curves.csv"))
rows <- rows[!is.na(rows$works), ]
# seven regions; and calendar months, from a month 0 that is January to September 2014
rows$region <- ceiling(rows$site / 6)
rows$after <- as.numeric(rows$person_id %% 9 + rows$month >= 12)
rows$time <- (rows$month - 5) / 12
rows$late <- pmax(rows$time, 0)
rows$block <- (rows$month - 1) %/% 3
rows$one <- 1

answers <- list()
question <- ""
note <- function(case, measure, who, month, estimate, se, df, p, n = NA) {
  answers[[length(answers) + 1]] <<- data.frame(question = question, case = case, measure = measure, who = who, month = month, estimate = estimate,
    std_error = se, degrees_of_freedom = df, p_value = p, n = n)
}
arms <- list(control = "control", ips = "ips", "ips - control" = c("control", "ips"))
# coefficients of its own for every arm; the combination l is the same in each
ask <- function(case, d, columns, measure, month, l, cr2) {
  for (who in names(arms)) {
    own <- d[d$arm %in% arms[[who]], ]
    both <- length(arms[[who]]) == 2
    x <- as.matrix(own[, columns, drop = FALSE])
    if (both) x <- cbind(x * (own$arm == "ips"), x * (own$arm == "control"))
    own$x <- x
    fit <- if (cr2) lm(works ~ 0 + x, own) else lm(works ~ 0 + x, own, weights = w)
    contrast <- if (both) c(l, -l) else l
    estimate <- sum(contrast * coef(fit))
    name <- if (both) c(rate = "risk_difference", mean_rate = "mean_difference", mean = "mean_difference")[measure] else measure
    if (both && is.na(name)) name <- paste0(measure, "_difference")
    if (cr2) {
      found <- linear_contrast(fit, vcovCR(fit, cluster = own$unit, type = "CR2"), contrasts = matrix(contrast, nrow = 1))
      note(case, name, who, month, estimate, found$SE, found$df, 2 * pt(-abs(estimate / found$SE), found$df))
    } else {
      v <- if (endsWith(case, "CR0")) vcovCL(fit, own$unit, type = "HC0", cadjust = FALSE) else vcovCL(fit, own$unit)
      se <- sqrt(drop(contrast %*% v %*% contrast))
      note(case, name, who, month, estimate, se, NA, 2 * pnorm(-abs(estimate / se)), length(unique(own$unit)))
    }
  }
}
# all blocks at once
joint <- function(case, d) {
  blocks <- sort(unique(d$block))
  x <- sapply(blocks, function(b) as.numeric(d$block == b))
  d$x <- cbind(x * (d$arm == "ips"), x * (d$arm == "control"))
  fit <- lm(works ~ 0 + x, d, weights = w)
  v <- if (endsWith(case, "CR0")) vcovCL(fit, d$unit, type = "HC0", cadjust = FALSE) else vcovCL(fit, d$unit)
  l <- cbind(diag(length(blocks)), -diag(length(blocks)))
  gap <- l %*% coef(fit)
  wald <- drop(t(gap) %*% solve(l %*% v %*% t(l)) %*% gap)
  free <- length(unique(d$unit)) - 2
  q <- length(blocks)
  f <- wald * (free - q + 1) / (free * q)
  note(case, "joint_test", "", NA, f, NA, q, pf(f, q, free - q + 1, lower.tail = FALSE), length(unique(d$unit)))
}

for (case in c("plain CR1", "plain CR0", "copies CR1", "weighted CR1", "sites CR1", "region")) {
  d <- rows
  d$copy <- 1
  if (startsWith(case, "copies")) {
    again <- rep(seq_len(nrow(d)), d$copies)
    d <- d[again, ]
    d$copy <- ave(seq_len(nrow(d)), again, FUN = seq_along)
  }
  d$w <- if (startsWith(case, "weighted")) d$weight else 1
  d$unit <- if (startsWith(case, "sites")) d$site else if (case == "region") d$region else paste(d$person_id, d$copy)
  cr2 <- case == "region"
  question <- "piecewise"
  line <- c("one", "time", "late")
  ask(case, d, line, "slope_before", NA, c(0, 1, 0), cr2)
  ask(case, d, line, "slope_after", NA, c(0, 1, 1), cr2)
  ask(case, d, line, "slope_change", NA, c(0, 0, 1), cr2)
  ask(case, d, line, "level", NA, c(1, 0, 0), cr2)
  question <- "history"
  ask(case, d, "one", "mean", NA, 1, cr2)
  if (!cr2) joint(case, d)
  question <- "period"
  months <- sort(unique(d$month))
  for (m in months) d[[paste0("m", m)]] <- as.numeric(d$month == m)
  wide <- c(paste0("m", months), "after")
  ask(case, d, wide, "shift", NA, as.numeric(wide == "after"), cr2)
  for (m in c(1, 6, 12)) ask(case, d, wide, "rate", m, as.numeric(wide %in% c(paste0("m", m), "after")), cr2)
  ask(case, d, wide, "mean_rate", NA, c(rep(1 / length(months), length(months)), 1), cr2)
}

table <- do.call(rbind, answers)
for (column in names(table)) if (is.double(table[[column]])) table[[column]] <- digits(table[[column]])
write.csv(table, file.path(folder, "month_models.csv"), row.names = FALSE, quote = FALSE, na = "")
packages <- c("sandwich", "clubSandwich")
write.csv(data.frame(name = c("R", packages), version = c(as.character(getRversion()),
  vapply(packages, function(p) as.character(packageVersion(p)), ""))),
  file.path(folder, "month_models_versions.csv"), row.names = FALSE, quote = FALSE)
